// Shared parts of the recognisers: borders, context words, and groups of digits. Every recogniser
// looks a bounded distance around each candidate, so the whole is linear in the text.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pii/entity.h"

namespace signalbox::pii {

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
constexpr bool is_letter(char c) { return is_upper(c) || (c >= 'a' && c <= 'z'); }
constexpr char to_lower(char c) { return is_upper(c) ? static_cast<char>(c + 32) : c; }
constexpr char to_upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; }
constexpr bool is_ascii_word_byte(char c) { return is_digit(c) || is_letter(c); }
// Part of a word; bytes of other scripts count as letters.
constexpr bool is_word_byte(char c) {
  return is_digit(c) || is_letter(c) || static_cast<unsigned char>(c) >= 0x80;
}
// The byte at `at`, or NUL outside the text.
constexpr char at_or_nul(std::string_view text, std::size_t at) {
  return at < text.size() ? text[at] : '\0';
}

// True if one of `words` (small letters) stands whole in the `reach` bytes before `at`. A word that
// ends in '*' may go on.
bool context_before(std::string_view text, std::size_t at, std::size_t reach,
                    std::span<const std::string_view> words);
// The same for the `reach` bytes from `at` on.
bool context_after(std::string_view text, std::size_t at, std::size_t reach,
                   std::span<const std::string_view> words);

// context_before() that does not look past the last digit before `at`: a word names the number next
// to it, not those behind.
bool context_since_number(std::string_view text, std::size_t at, std::size_t reach,
                          std::span<const std::string_view> words);

// Consecutive digits.
struct DigitGroup {
  std::size_t begin = 0;
  std::size_t end = 0;
  std::size_t size() const { return end - begin; }
};

// What may stand between the groups of one number, at most three characters.
enum class Separators : std::uint8_t {
  kWithinLine,  // spaces of any width, dashes, dots, slashes, brackets
  kAny,         // also underscores, tabs and line breaks
};
// Bytes of the separator character at `at`, 0 if there is none.
std::size_t separator_bytes(std::string_view text, std::size_t at, Separators allowed);

// Groups of digits with only separators between them.
class NumberRun {
 public:
  NumberRun(std::string_view text, std::vector<DigitGroup> groups)
      : text_(text), groups_(std::move(groups)) {}

  std::string_view text() const { return text_; }
  std::size_t size() const { return groups_.size(); }
  const DigitGroup& operator[](std::size_t i) const { return groups_[i]; }
  // Text between group i - 1 and group i, i at least 1.
  std::string_view separator(std::size_t i) const {
    return text_.substr(groups_[i - 1].end, groups_[i].begin - groups_[i - 1].end);
  }
  // Digits of groups [from, to).
  std::string digits(std::size_t from, std::size_t to) const;
  std::size_t count_digits(std::size_t from, std::size_t to) const;
  // True if all separators inside [from, to) are the same.
  bool same_separators(std::size_t from, std::size_t to) const;

 private:
  std::string_view text_;
  std::vector<DigitGroup> groups_;
};

std::vector<NumberRun> find_number_runs(std::string_view text,
                                        Separators allowed = Separators::kWithinLine);

// Each appends what it finds, in any order; entities of different recognisers may overlap.
// Of runs with any separators.
void find_cards(const NumberRun& run, std::vector<Entity>& out);
void find_social_security_numbers(const NumberRun& run, std::vector<Entity>& out);
void find_dates(const NumberRun& run, std::vector<Entity>& out);
void find_phones(const NumberRun& run, std::vector<Entity>& out);
void find_ibans(std::string_view text, std::vector<Entity>& out);
void find_ip_addresses(std::string_view text, std::vector<Entity>& out);
void find_emails(std::string_view text, std::vector<Entity>& out);
void find_domains(std::string_view text, std::vector<Entity>& out);
void find_driver_licenses(std::string_view text, std::vector<Entity>& out);
void find_zip_codes(std::string_view text, std::vector<Entity>& out);
void find_ages(std::string_view text, std::vector<Entity>& out);
void find_nationalities(std::string_view text, std::vector<Entity>& out);
void find_spelled_numbers(std::string_view text, std::vector<Entity>& out);

// True if a host name ends in a top-level domain that we know. `plain` asks for one that is not also
// a file extension or an English word.
bool has_known_suffix(std::string_view host, bool plain);

}  // namespace signalbox::pii
