// A text on its way through normalisation that remembers, if wanted, where each of its bytes came from.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace signalbox::tokenize {

// Bytes [begin, end) of the text that the caller handed in.
struct Origin {
  std::size_t begin = 0;
  std::size_t end = 0;
  bool operator==(const Origin&) const = default;
};

class TracedText {
 public:
  // Empty. Without `traced` no origins are kept and origin() must not be asked.
  explicit TracedText(bool traced) : traced_(traced) {}
  // A copy of `text`, which began at byte `offset`; bytes that are not UTF-8 become U+FFFD, one each.
  TracedText(std::string_view text, std::size_t offset, bool traced);

  const std::string& text() const { return text_; }
  bool traced() const { return traced_; }
  // What bytes [begin, end) stem from: from the first byte's origin to the last one's. begin < end.
  Origin origin(std::size_t begin, std::size_t end) const;
  // Appends bytes that stem from `origin`.
  void append(std::string_view bytes, Origin origin);
  // Appends bytes [begin, end) of `from` with their origins.
  void append(const TracedText& from, std::size_t begin, std::size_t end);
  void append_point(std::uint32_t point, Origin origin);

 private:
  std::string text_;
  std::vector<Origin> origins_;  // one per byte when traced
  bool traced_;
};

}  // namespace signalbox::tokenize
