#include "pii/fold.h"

#include <algorithm>
#include <array>

namespace signalbox::pii {
namespace {

// The digit 0 of scripts with decimal digits; the other nine follow it.
constexpr std::array<char32_t, 12> kZeros{0x0660, 0x06F0, 0x07C0, 0x0966, 0x09E6, 0x0A66,
                                          0x0AE6, 0x0B66, 0x0BE6, 0x0C66, 0x0CE6, 0x0E50};
constexpr char32_t kFullWidthFirst = 0xFF01, kFullWidthLast = 0xFF5E, kFullWidthToAscii = 0xFEE0;

struct Character {
  char32_t code = 0;
  std::size_t bytes = 0;  // 0: not a character of two or three bytes
};

constexpr bool continues(std::string_view text, std::size_t at) {
  return at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80;
}

Character character_at(std::string_view text, std::size_t at) {
  const auto bits = [&](std::size_t i, unsigned mask) {
    return static_cast<char32_t>(static_cast<unsigned char>(text[at + i]) & mask);
  };
  const auto lead = static_cast<unsigned char>(text[at]);
  if (lead >= 0xC2 && lead < 0xE0 && continues(text, at + 1))
    return {(bits(0, 0x1F) << 6U) | bits(1, 0x3F), 2};
  if (lead >= 0xE0 && lead < 0xF0 && continues(text, at + 1) && continues(text, at + 2))
    return {(bits(0, 0x0F) << 12U) | (bits(1, 0x3F) << 6U) | bits(2, 0x3F), 3};
  return {};
}

// Soft hyphen, zero-width space, joiners and marks of direction, word joiner, byte order mark.
bool is_invisible(char32_t code) {
  return code == 0xAD || (code >= 0x200B && code <= 0x200F) || code == 0x2060 || code == 0xFEFF;
}

// The ASCII character that it stands for, NUL if none.
char as_ascii(char32_t code) {
  if (code >= kFullWidthFirst && code <= kFullWidthLast)
    return static_cast<char>(code - kFullWidthToAscii);
  switch (code) {
    case 0x3000:
      return ' ';  // ideographic space, comma and full stop
    case 0x3001:
      return ',';
    case 0x3002:
      return '.';
    default:
      break;
  }
  const auto next = std::ranges::upper_bound(kZeros, code);
  if (next == kZeros.begin() || code - *(next - 1) > 9) return '\0';
  return static_cast<char>('0' + (code - *(next - 1)));
}

}  // namespace

bool needs_folding(std::string_view text) {
  // First bytes of all that is folded; most English texts have none of them, or only U+2018 and the like.
  for (std::size_t at = text.find_first_of("\xC2\xD9\xDB\xDF\xE0\xE2\xE3\xEF");
       at != std::string_view::npos;
       at = text.find_first_of("\xC2\xD9\xDB\xDF\xE0\xE2\xE3\xEF", at + 1)) {
    const auto [code, bytes] = character_at(text, at);
    if (bytes > 0 && (is_invisible(code) || as_ascii(code) != '\0')) return true;
  }
  return false;
}

Folded fold(std::string_view text) {
  Folded out;
  out.text.reserve(text.size());
  const auto add = [&](char c, std::size_t begin, std::size_t end) {
    out.text.push_back(c);
    out.begins.push_back(static_cast<std::uint32_t>(begin));
    out.ends.push_back(static_cast<std::uint32_t>(end));
  };
  for (std::size_t at = 0; at < text.size();) {
    const auto [code, bytes] = character_at(text, at);
    if (bytes > 0 && is_invisible(code)) {
      at += bytes;
    } else if (const char ascii = bytes > 0 ? as_ascii(code) : '\0'; ascii != '\0') {
      add(ascii, at, at + bytes);
      at += bytes;
    } else {
      add(text[at], at, at + 1);
      ++at;
    }
  }
  return out;
}

}  // namespace signalbox::pii
