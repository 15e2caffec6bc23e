// International bank account numbers: country, its length, and the check digits.
#include <string>

#include "pii/checksum.h"
#include "pii/scan.h"

namespace signalbox::pii {
namespace {

// Bytes of the IBAN that starts at `begin`, 0 if none does. Spaces, no-break spaces and dashes may
// stand between its characters, one at a time.
std::size_t iban_bytes(std::string_view text, std::size_t begin) {
  std::string compact{to_upper(text[begin]), to_upper(text[begin + 1])};
  const std::size_t length = iban_length(compact);
  if (length == 0) return 0;
  std::size_t at = begin + 2;
  while (compact.size() < length) {
    if (at_or_nul(text, at) == ' ' || at_or_nul(text, at) == '-') {
      ++at;
    } else if (text.substr(at).starts_with("\xC2\xA0")) {
      at += 2;
    }
    const char c = to_upper(at_or_nul(text, at));
    if (!is_digit(c) && !is_upper(c)) return 0;
    if (compact.size() < 4 && !is_digit(c)) return 0;
    compact.push_back(c);
    ++at;
  }
  if (is_word_byte(at_or_nul(text, at))) return 0;
  return iban_valid(compact) ? at - begin : 0;
}

}  // namespace

void find_ibans(std::string_view text, std::vector<Entity>& out) {
  for (std::size_t at = 0; at + 4 < text.size(); ++at) {
    if (!is_letter(text[at]) || !is_letter(text[at + 1])) continue;
    if (at > 0 && is_word_byte(text[at - 1])) continue;
    const std::size_t bytes = iban_bytes(text, at);
    if (bytes == 0) continue;
    out.push_back({at, at + bytes, Type::kIbanCode, 0.99f, Source::kRule});
    at += bytes - 1;
  }
}

}  // namespace signalbox::pii
