#include "tokenize/traced_text.h"

#include <algorithm>

#include "base/assert.h"
#include "tokenize/unicode.h"

namespace signalbox::tokenize {

TracedText::TracedText(std::string_view text, std::size_t offset, bool traced) : traced_(traced) {
  text_.reserve(text.size());
  if (traced_) origins_.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const Decoded decoded = decode_utf8(text.substr(at));
    const Origin origin{offset + at, offset + at + decoded.bytes};
    if (decoded.bytes == 1 && decoded.point == kReplacement) {
      append_point(kReplacement, origin);
    } else {
      append(text.substr(at, decoded.bytes), origin);
    }
    at += decoded.bytes;
  }
}

Origin TracedText::origin(std::size_t begin, std::size_t end) const {
  SBX_ASSERT(traced_ && begin < end && end <= origins_.size());
  return {origins_[begin].begin, std::max(origins_[begin].end, origins_[end - 1].end)};
}

void TracedText::append(std::string_view bytes, Origin origin) {
  text_.append(bytes);
  if (traced_) origins_.insert(origins_.end(), bytes.size(), origin);
}

void TracedText::append(const TracedText& from, std::size_t begin, std::size_t end) {
  text_.append(from.text_, begin, end - begin);
  if (!traced_) return;
  const auto first = from.origins_.begin();
  origins_.insert(origins_.end(), first + static_cast<std::ptrdiff_t>(begin),
                  first + static_cast<std::ptrdiff_t>(end));
}

void TracedText::append_point(std::uint32_t point, Origin origin) {
  std::string bytes;
  append_utf8(bytes, point);
  append(bytes, origin);
}

}  // namespace signalbox::tokenize
