// What a tokenizer must know about single code points. Cheap: two table reads for the classes.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace signalbox::tokenize {

inline constexpr std::uint32_t kReplacement = 0xFFFD;

struct Decoded {
  std::uint32_t point = kReplacement;
  std::uint32_t bytes = 1;  // bytes consumed, at least 1
};
// The code point at the front of `text`, which must not be empty. A byte that does not start a
// well-formed sequence (overlong, surrogate, beyond U+10FFFF, cut off) counts as U+FFFD and one
// byte.
Decoded decode_utf8(std::string_view text);
// Appends 1 to 4 bytes. `point` is a scalar value.
void append_utf8(std::string& out, std::uint32_t point);
// Longest prefix of at most `bytes_max` bytes that does not end inside a sequence.
std::size_t utf8_prefix(std::string_view text, std::size_t bytes_max);

enum class Class : std::uint8_t { kWord, kSpace, kPunctuation, kDropped, kMark, kIdeograph };

// Class of every code point in two levels: 4352 pages of 256, equal pages stored once.
class ClassTable {
 public:
  ClassTable();
  Class of(std::uint32_t point) const {
    return point < 0x110000 ? pages_[page_of_[point >> 8]][point & 0xFF] : Class::kDropped;
  }

 private:
  using Page = std::array<Class, 256>;
  std::array<std::uint8_t, 0x1100> page_of_{};
  std::vector<Page> pages_;
};
const ClassTable& class_table();

// Canonical decomposition (NFD) of one code point, 1 to 4 of them; returns how many.
int decompose(std::uint32_t point, std::array<std::uint32_t, 8>& out);
int combining_class(std::uint32_t point);
// Simple lower-case mapping.
std::uint32_t lower(std::uint32_t point);

}  // namespace signalbox::tokenize
