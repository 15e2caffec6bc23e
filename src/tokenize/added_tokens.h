// Tokens that a text may spell out and that are cut out of it before anything else happens, such as
// "<|im_start|>" or long runs of spaces. Leftmost, then longest.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tokenize/piece_table.h"

namespace signalbox::tokenize {

struct AddedToken {
  std::string text;
  std::int32_t id = 0;
  bool single_word = false;  // only where no word character touches it
  bool strip_left = false;   // takes the white space before it
  bool strip_right = false;  // takes the white space behind it
  bool normalized = false;   // looked for in the normalised text
};

class AddedTokens {
 public:
  AddedTokens() = default;
  // Empty texts are ignored, and of equal ones the first counts.
  explicit AddedTokens(std::vector<AddedToken> tokens);

  // A part of a text; `id` is -1 for what lies between tokens.
  struct Part {
    std::size_t begin = 0, end = 0;
    std::int32_t id = -1;
    bool spaced = false;  // begins with white space that its token took
  };
  // Cuts the text; the parts cover it, and none is empty. O(bytes * distinct lengths of tokens that
  // begin with the byte at hand).
  std::vector<Part> split(std::string_view text) const;
  // Bytes of the longest token.
  std::size_t longest() const { return longest_; }

 private:
  const AddedToken* longest_at(std::string_view text, std::size_t at) const;

  std::size_t longest_ = 0;
  std::vector<AddedToken> tokens_;
  PieceTable table_;                                       // index into tokens_
  std::array<std::vector<std::uint32_t>, 256> lengths_{};  // by first byte, longest first
};

}  // namespace signalbox::tokenize
