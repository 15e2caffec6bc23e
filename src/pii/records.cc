// Identifiers without a check digit of their own: US driver's licences and postal codes. Only where
// the text names them.
#include <algorithm>
#include <array>

#include "pii/scan.h"

namespace signalbox::pii {
namespace {

constexpr std::size_t kLicenseContextBytes = 48, kZipContextBytes = 24;
constexpr std::array<std::string_view, 14> kLicenseContext{"driver's license*",
                                                           "driver\xE2\x80\x99s license*",
                                                           "drivers license*",
                                                           "driver license*",
                                                           "driver's licence*",
                                                           "drivers licence*",
                                                           "driver licence*",
                                                           "driving licen*",
                                                           "license number",
                                                           "licence number",
                                                           "license no",
                                                           "dl",
                                                           "dln",
                                                           "driver id"};
constexpr std::array<std::string_view, 10> kZipContext{
    "zip*",       "zip code*", "zipcode*", "postal code*", "postcode*",
    "post code*", "plz",       "cep",      "cap",          "code postal"};
// Formats of the states' licences: A a letter, 9 a digit, ? a letter or digit.
constexpr std::array<std::string_view, 27> kLicenseFormats{
    "999999",       "9999999",        "99999999",      "999999999",       "9999999999",
    "999999999999", "A99999",         "A999999",       "A9999999",        "A99999999",
    "A999999999",   "A99999999999",   "A999999999999", "A99999999999999", "AA999999",
    "AA9999999",    "AA99999",        "AA999999A",     "999AA9999",       "9999999A",
    "99999999A",    "99AAA99999",     "AAA??????999",  "AAAAAAA99999",    "A9999999999",
    "99999",        "A99999999999999"};

bool fits(std::string_view token, std::string_view format) {
  if (token.size() != format.size()) return false;
  for (std::size_t i = 0; i < token.size(); ++i) {
    const bool digit = is_digit(token[i]), letter = is_letter(token[i]);
    if (format[i] == '9' ? !digit : format[i] == 'A' ? !letter : !digit && !letter) return false;
  }
  return true;
}

// Letters, digits and single dashes from `begin` on.
std::size_t token_end(std::string_view text, std::size_t begin) {
  std::size_t end = begin;
  while (end - begin < 24 &&
         (is_digit(at_or_nul(text, end)) || is_letter(at_or_nul(text, end)) ||
          (at_or_nul(text, end) == '-' && end > begin && is_digit(at_or_nul(text, end + 1))))) {
    ++end;
  }
  return end;
}

bool is_license(std::string_view token) {
  std::string compact(token);
  std::erase(compact, '-');
  return std::ranges::any_of(kLicenseFormats,
                             [&](std::string_view format) { return fits(compact, format); });
}

// Digits, or letters and digits as elsewhere ("SW1A 1AA", "75534-030"); 3 to 10 characters.
bool is_postal_code(std::string_view token) {
  const auto digits = std::ranges::count_if(token, is_digit);
  return token.size() >= 3 && token.size() <= 10 && digits >= 2;
}

}  // namespace

void find_driver_licenses(std::string_view text, std::vector<Entity>& out) {
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (!is_digit(text[at]) && !is_letter(text[at])) continue;
    const std::size_t end = token_end(text, at);
    const bool whole =
        (at == 0 || !is_word_byte(text[at - 1])) && !is_word_byte(at_or_nul(text, end));
    const std::string_view token = text.substr(at, end - at);
    if (whole && token.size() >= 5 && std::ranges::any_of(token, is_digit) && is_license(token) &&
        context_since_number(text, at, kLicenseContextBytes, kLicenseContext)) {
      out.push_back({at, end, Type::kUsDriverLicense, 0.85f, Source::kRule});
    }
    at = std::max(at, end - 1);
  }
}

void find_zip_codes(std::string_view text, std::vector<Entity>& out) {
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (!is_digit(text[at]) && !is_letter(text[at])) continue;
    std::size_t end = token_end(text, at);
    const bool whole =
        (at == 0 || !is_word_byte(text[at - 1])) && !is_word_byte(at_or_nul(text, end));
    if (whole && is_postal_code(text.substr(at, end - at)) &&
        context_since_number(text, at, kZipContextBytes, kZipContext)) {
      out.push_back({at, end, Type::kZipCode, 0.9f, Source::kRule});
    }
    at = std::max(at, end - 1);
  }
}

}  // namespace signalbox::pii
