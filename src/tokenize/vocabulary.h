// Word pieces to ids. Open addressing over two hash tables in one array (pieces that start a word
// and pieces that continue one), built once, read by all threads.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace signalbox::tokenize {

// FNV-1a, so that the hash of each prefix of a word falls out of one walk over it. Texts cannot
// lengthen the chains: they only look up, what is in the table comes from the model file.
class PieceHash {
 public:
  explicit PieceHash(bool continues)
      : value_(continues ? 0x9ae16a3b2f90404fULL : 0xcbf29ce484222325ULL) {}
  void add(char byte) { value_ = (value_ ^ static_cast<unsigned char>(byte)) * 0x100000001b3ULL; }
  std::uint64_t value() const { return value_ ^ (value_ >> 29); }

 private:
  std::uint64_t value_;
};

class Vocabulary {
 public:
  Vocabulary() = default;
  // One piece a line, the line number is the id; pieces that continue a word begin with "##". A
  // later duplicate wins, as in the reference. Errors: kCorrupt (no pieces, or more or longer ones
  // than the limits allow).
  static Result<Vocabulary> from_lines(std::string_view lines);
  static Result<Vocabulary> from_pieces(std::vector<std::string> pieces);

  int size() const { return size_; }
  // Id of a whole vocabulary line such as "[CLS]" or "##ing".
  std::optional<int> find(std::string_view piece) const;
  // Id of a piece without its "##"; `hash` is PieceHash over its bytes. -1 when there is none.
  int find(std::string_view bytes, bool continues, std::uint64_t hash) const;
  // Longest piece in bytes, "##" not counted.
  std::size_t bytes_max() const { return bytes_max_; }

 private:
  struct Slot {
    std::uint32_t hash = 0;
    std::int32_t id = -1;
    std::uint32_t begin = 0;  // in text_
    std::uint16_t bytes = 0;
    bool continues = false;
  };
  void insert(std::string_view piece, int id);

  std::string text_;         // all pieces, without "##", one after another
  std::vector<Slot> slots_;  // power of two, at most half full
  int size_ = 0;
  std::size_t bytes_max_ = 0;
};

}  // namespace signalbox::tokenize
