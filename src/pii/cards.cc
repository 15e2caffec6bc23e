// Payment cards: a known prefix, a length it is issued with, and Luhn's check digit.
#include <algorithm>
#include <array>

#include "pii/checksum.h"
#include "pii/scan.h"

namespace signalbox::pii {
namespace {

constexpr std::size_t kDigitsMin = 12, kDigitsMax = 19;
constexpr std::size_t kGroupsMax = 10;  // of two digits at least
constexpr std::size_t kGluedDigitsMin = 15;
constexpr std::size_t kGluedLettersMax = 24;  // looked at on either side
constexpr std::size_t kContextBytes = 60;
constexpr std::array<std::string_view, 14> kContext{
    "card*",    "credit",  "debit", "visa", "mastercard", "amex",    "american express",
    "discover", "maestro", "cc",    "ccn",  "payment",    "charge*", "pan"};

// Whether nothing but a word of letters touches the number on either side: "card4111..", "..USD". Where
// other digits belong to the same word, it is a serial number or a hash.
bool only_words_touch(std::string_view text, std::size_t begin, std::size_t end) {
  for (std::size_t i = 1;
       i <= kGluedLettersMax && i <= begin && is_ascii_word_byte(text[begin - i]); ++i) {
    if (is_digit(text[begin - i]) || i == kGluedLettersMax) return false;
  }
  for (std::size_t i = 0; i < kGluedLettersMax && is_ascii_word_byte(at_or_nul(text, end + i));
       ++i) {
    if (is_digit(text[end + i]) || i + 1 == kGluedLettersMax) return false;
  }
  return true;
}

bool glued_to_word(std::string_view text, std::size_t begin, std::size_t end) {
  return (begin > 0 && is_ascii_word_byte(text[begin - 1])) ||
         is_ascii_word_byte(at_or_nul(text, end));
}

// How cards are printed: by fours, 4-6-5 (Amex), 4-6-4 (Diners), or without separators.
bool printed_grouping(const NumberRun& run, std::size_t from, std::size_t to) {
  const std::size_t count = to - from;
  if (count == 1) return true;
  if (run[from].size() != 4) return false;
  if (count == 3 && run[from + 1].size() == 6) return run[from + 2].size() >= 4;
  for (std::size_t i = from; i + 1 < to; ++i) {
    if (run[i].size() != 4) return false;
  }
  return run[to - 1].size() <= 4 && count >= 3;
}

// A rest of something longer: a group of four with the same separator stands right before it.
bool rest_of_more(const NumberRun& run, std::size_t from, std::size_t to) {
  return from > 0 && to > from + 1 && run[from - 1].size() == 4 &&
         run.separator(from) == run.separator(from + 1);
}

bool over_lines(const NumberRun& run, std::size_t from, std::size_t to) {
  for (std::size_t i = from + 1; i < to; ++i) {
    if (run.separator(i).find_first_of("\r\n") != std::string_view::npos) return true;
  }
  return false;
}

// Long groups that are all of the run but for an expiry date and the like; those of a table go on.
bool alone(const NumberRun& run, std::size_t from, std::size_t to) {
  for (std::size_t i = from; i + 1 < to; ++i) {
    if (run[i].size() < 4) return false;
  }
  return from == 0 && (to == run.size() || run[to].size() < 4);
}

bool plausible(const NumberRun& run, std::size_t from, std::size_t to) {
  const std::string digits = run.digits(from, to);
  if (!luhn_valid(digits) || std::ranges::all_of(digits, [&](char c) { return c == digits[0]; })) {
    return false;
  }
  const bool known = is_card_prefix(digits);
  const std::size_t begin = run[from].begin;
  const bool in_context = context_before(run.text(), begin, kContextBytes, kContext);
  if (glued_to_word(run.text(), begin, run[to - 1].end) &&
      (!known || digits.size() < kGluedDigitsMin)) {
    return false;
  }
  // Columns of numbers would give a card now and then.
  if (over_lines(run, from, to)) return known && (in_context || alone(run, from, to));
  if (printed_grouping(run, from, to)) {
    if (digits.size() != 16 && rest_of_more(run, from, to)) return false;
    // Twelve digits are common in other numbers; Maestro uses them, but says so.
    return (known && digits.size() > kDigitsMin) || (in_context && (known || digits.size() >= 13));
  }
  // Odd groups: all of the run between equal separators, or somebody says that it is a card.
  const bool whole = from == 0 && to == run.size();
  return known && run.same_separators(from, to) && (whole || in_context);
}

}  // namespace

void find_cards(const NumberRun& run, std::vector<Entity>& out) {
  for (std::size_t from = 0; from < run.size();) {
    std::size_t found = 0;
    for (std::size_t to = from + 1; to <= std::min(run.size(), from + kGroupsMax); ++to) {
      const std::size_t digits = run.count_digits(from, to);
      if (digits > kDigitsMax) break;
      if (digits < kDigitsMin || !only_words_touch(run.text(), run[from].begin, run[to - 1].end))
        continue;
      if (!plausible(run, from, to)) continue;
      found = to;
      // 16 digits by fours are whole; what follows is an expiry date.
      if (digits >= 15) break;
    }
    if (found > 0) {
      out.push_back({run[from].begin, run[found - 1].end, Type::kCreditCard, 0.99f, Source::kRule});
    }
    from = std::max(from + 1, found);
  }
}

}  // namespace signalbox::pii
