#include "http/syntax.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/text.h"

namespace signalbox::http {
namespace {

constexpr bool is_alnum(unsigned char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

using Table = std::array<bool, 256>;

constexpr Table table_of(std::string_view extra) {
  Table table{};
  for (int c = 0; c < 256; ++c) table[c] = is_alnum(static_cast<unsigned char>(c));
  for (const char c : extra) table[static_cast<unsigned char>(c)] = true;
  return table;
}

constexpr Table kTokenChars = table_of("!#$%&'*+-.^_`|~");
// unreserved, pct-encoded, sub-delims but the comma (a list of hosts is never meant), and IP literals.
constexpr Table kHostChars = table_of("-._~%!$&'()*+;=:[]");

bool all_in(const Table& table, std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [&](char c) { return table[static_cast<unsigned char>(c)]; });
}

constexpr bool is_value_char(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte == '\t' || (byte >= 0x20 && byte != 0x7f);
}

// True if one of eight bytes is below 0x20 or is 0x7f. Arithmetic on all eight at once; see "Bit Twiddling Hacks" (Sean Eron
// Anderson), determining if a word has a byte less than n, or a zero byte.
constexpr bool may_have_control(std::uint64_t word) {
  constexpr std::uint64_t kOnes = 0x0101010101010101;
  constexpr std::uint64_t kHighs = 0x8080808080808080;
  const std::uint64_t below_space = (word - kOnes * 0x20) & ~word;
  const std::uint64_t without_delete = word ^ (kOnes * 0x7f);
  const std::uint64_t is_delete = (without_delete - kOnes) & ~without_delete;
  return ((below_space | is_delete) & kHighs) != 0;
}

}  // namespace

bool is_token_char(char c) { return kTokenChars[static_cast<unsigned char>(c)]; }

bool is_token(std::string_view text) { return !text.empty() && all_in(kTokenChars, text); }

bool is_field_value(std::string_view text) {
  while (text.size() >= sizeof(std::uint64_t)) {
    std::uint64_t word = 0;
    std::memcpy(&word, text.data(), sizeof(word));
    if (may_have_control(word) && !std::ranges::all_of(text.substr(0, sizeof(word)), is_value_char))
      return false;
    text.remove_prefix(sizeof(word));
  }
  return std::ranges::all_of(text, is_value_char);
}

bool is_target(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte > 0x20 && byte < 0x7f && byte != '#';
  });
}

bool is_host(std::string_view text) { return all_in(kHostChars, text); }

std::optional<std::uint8_t> hex_digit(char c) {
  if (c >= '0' && c <= '9') return static_cast<std::uint8_t>(c - '0');
  const char lower = ascii_lower(c);
  if (lower >= 'a' && lower <= 'f') return static_cast<std::uint8_t>(lower - 'a' + 10);
  return std::nullopt;
}

bool list_has_token(std::string_view list, std::string_view token) {
  while (!list.empty()) {
    const auto comma = list.find(',');
    if (equal_ignore_case(trim(list.substr(0, comma)), token)) return true;
    if (comma == std::string_view::npos) return false;
    list.remove_prefix(comma + 1);
  }
  return false;
}

}  // namespace signalbox::http
