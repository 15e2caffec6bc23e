// What text signals must know about words and scripts: lower case, word boundaries, the script of a letter.
//
// A word boundary lies between two characters unless both are word characters (letters, marks, digits, underscore) of
// scripts that put spaces between words. Han, kana, Hangul, Thai, Lao, Khmer and Myanmar characters therefore always
// have a boundary on both sides: keywords in these scripts match as substrings.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace signalbox::signals {

enum class Script : std::uint8_t {
  kNone,  // not a letter of a script below
  kLatin,
  kGreek,
  kCyrillic,
  kArmenian,
  kHebrew,
  kArabic,
  kDevanagari,
  kBengali,
  kGurmukhi,
  kGujarati,
  kTamil,
  kTelugu,
  kThai,
  kGeorgian,
  kKana,
  kHan,
  kHangul,
  kFree,  // further scripts without spaces between words: Lao, Khmer, Myanmar, Tibetan
};
inline constexpr std::size_t kScriptCount = static_cast<std::size_t>(Script::kFree) + 1;
Script script_of(std::uint32_t point);

// Appends `text` with every code point in simple lower case; bytes that are not UTF-8 stay as they are. O(bytes).
void fold(std::string_view text, std::string& out);

// True when text[begin, end) stands between word boundaries. An edge of the range that is no word character of a spaced
// script (punctuation, Han, ...) needs none: "c++" is found in "c++20".
bool whole_word(std::string_view text, std::size_t begin, std::size_t end);

// Words of spaced scripts plus single characters of the others: the unit that densities are measured in.
std::size_t text_units(std::string_view text);

}  // namespace signalbox::signals
