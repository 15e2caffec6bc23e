// Small text functions that several layers need. ASCII only unless said; nothing here allocates unless it returns a string.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace signalbox {

constexpr char ascii_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }
// Equal without regard to ASCII case; for header names and enum words. Inline: a request compares some hundred names, and
// nearly all differ in length.
inline bool equal_ignore_case(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] != b[i] && ascii_lower(a[i]) != ascii_lower(b[i])) return false;
  }
  return true;
}
inline bool starts_with_ignore_case(std::string_view text, std::string_view prefix) {
  return text.size() >= prefix.size() && equal_ignore_case(text.substr(0, prefix.size()), prefix);
}
// A few words, none of them empty, compared without case. Most texts that are asked about differ from all in their first
// letter, and cost one look at it.
class Words {
 public:
  consteval Words(std::initializer_list<std::string_view> words) : count_(words.size()) {
    std::size_t at = 0;
    for (const auto word : words) {
      words_.at(at++) = word;
      first_letters_ |= letter_bit(word.front());
    }
  }
  bool contains(std::string_view text) const {
    if (text.empty() || (first_letters_ & letter_bit(text.front())) == 0) return false;
    for (std::size_t i = 0; i < count_; ++i) {
      if (equal_ignore_case(words_[i], text)) return true;
    }
    return false;
  }

 private:
  // A letter's place in the alphabet is in its low five bits, whatever its case; other characters may share one.
  static constexpr std::uint32_t letter_bit(char c) {
    return std::uint32_t{1} << (static_cast<unsigned char>(c) & 31U);
  }
  std::array<std::string_view, 8> words_{};
  std::size_t count_ = 0;
  std::uint32_t first_letters_ = 0;
};
std::string to_lower(std::string_view text);
// Without leading and trailing spaces and tabs.
std::string_view trim(std::string_view text);
// Parts between separators, trimmed, empty ones dropped.
std::vector<std::string_view> split(std::string_view text, char separator);
// Whole decimal number, no sign, no spaces.
std::optional<std::uint64_t> parse_uint(std::string_view text);
std::optional<double> parse_double(std::string_view text);
// Levenshtein distance, O(|a| * |b|); for "did you mean".
std::size_t edit_distance(std::string_view a, std::string_view b);
// The candidate nearest to `word` if it is near enough to be what was meant, else nothing.
std::optional<std::string_view> did_you_mean(std::string_view word,
                                             std::span<const std::string_view> candidates);

}  // namespace signalbox
