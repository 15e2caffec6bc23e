// International bank account numbers: country, its length, and the check digits.
#include <algorithm>
#include <array>
#include <string>

#include "pii/checksum.h"
#include "pii/scan.h"

namespace signalbox::pii {
namespace {

constexpr std::size_t kSeparatorCharactersMax = 3;
// Words that people write without a space before the number.
constexpr std::array<std::string_view, 5> kGluedNames{"iban", "account", "acct", "konto", "compte"};

// The IBAN that starts at a place; no bytes where none does.
struct Reading {
  std::size_t bytes = 0;
  std::string compact;  // capitals and digits
};

// Separators may stand between any of its characters.
Reading read_iban(std::string_view text, std::size_t begin) {
  std::string compact{to_upper(text[begin]), to_upper(text[begin + 1])};
  const std::size_t length = iban_length(compact);
  if (length == 0) return {};
  std::size_t at = begin + 2;
  while (compact.size() < length) {
    for (std::size_t i = 0; i < kSeparatorCharactersMax; ++i)
      at += separator_bytes(text, at, Separators::kAny);
    const char c = to_upper(at_or_nul(text, at));
    if (!is_digit(c) && !is_upper(c)) return {};
    if (compact.size() < 4 && !is_digit(c)) return {};
    compact.push_back(c);
    ++at;
  }
  if (!iban_valid(compact)) return {};
  return {at - begin, std::move(compact)};
}

bool starts_freely(std::string_view text, std::size_t begin) {
  if (begin == 0 || !is_ascii_word_byte(text[begin - 1])) return true;
  std::string before(
      text.substr(begin - std::min<std::size_t>(begin, 8), std::min<std::size_t>(begin, 8)));
  std::ranges::transform(before, before.begin(), to_lower);
  return std::ranges::any_of(kGluedNames,
                             [&](std::string_view name) { return before.ends_with(name); });
}

// A currency may touch a number of digits only; after letters nobody could tell where it ends.
bool ends_freely(std::string_view text, std::size_t end, std::string_view compact) {
  const char next = at_or_nul(text, end);
  if (!is_ascii_word_byte(next)) return true;
  return is_letter(next) && std::ranges::all_of(compact.substr(2), is_digit);
}

}  // namespace

void find_ibans(std::string_view text, std::vector<Entity>& out) {
  for (std::size_t at = 0; at + 4 < text.size(); ++at) {
    if (!is_letter(text[at]) || !is_letter(text[at + 1]) || !starts_freely(text, at)) continue;
    const auto [bytes, compact] = read_iban(text, at);
    if (bytes == 0 || !ends_freely(text, at + bytes, compact)) continue;
    out.push_back({at, at + bytes, Type::kIbanCode, 0.99f, Source::kRule});
    at += bytes - 1;
  }
}

}  // namespace signalbox::pii
