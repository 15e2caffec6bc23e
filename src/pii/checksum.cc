#include "pii/checksum.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace signalbox::pii {
namespace {

struct Scheme {
  std::uint32_t first, last;  // range of the leading digits
  std::size_t digits;         // how many digits the range bounds have
  std::size_t shortest, longest;
};
constexpr std::array kSchemes{
    Scheme{4, 4, 1, 13, 19},        // Visa; 13, 16 and 19 are issued
    Scheme{51, 55, 2, 16, 16},      // Mastercard
    Scheme{2221, 2720, 4, 16, 16},  // Mastercard
    Scheme{34, 34, 2, 15, 15},      // American Express
    Scheme{37, 37, 2, 15, 15},      // American Express
    Scheme{300, 305, 3, 14, 19},    // Diners
    Scheme{3095, 3095, 4, 14, 19},  // Diners
    Scheme{36, 36, 2, 14, 19},      // Diners
    Scheme{38, 39, 2, 14, 19},      // Diners
    Scheme{3528, 3589, 4, 16, 19},  // JCB
    Scheme{35, 35, 2, 16, 16},      // JCB, older ranges
    Scheme{1800, 1800, 4, 15, 15},  // JCB
    Scheme{2131, 2131, 4, 15, 15},  // JCB
    Scheme{2200, 2204, 4, 16, 19},  // Mir
    Scheme{50, 50, 2, 12, 19},      // Maestro
    Scheme{56, 69, 2, 12, 19},      // Maestro, Discover (6011, 644-649, 65), UnionPay (62)
    Scheme{9792, 9792, 4, 16, 16},  // Troy
};

struct Country {
  std::string_view code;
  std::uint8_t length;
};
// IBAN registry, sorted by code.
constexpr std::array kCountries{
    Country{"AD", 24}, Country{"AE", 23}, Country{"AL", 28}, Country{"AT", 20}, Country{"AZ", 28},
    Country{"BA", 20}, Country{"BE", 16}, Country{"BG", 22}, Country{"BH", 22}, Country{"BI", 27},
    Country{"BR", 29}, Country{"BY", 28}, Country{"CH", 21}, Country{"CR", 22}, Country{"CY", 28},
    Country{"CZ", 24}, Country{"DE", 22}, Country{"DJ", 27}, Country{"DK", 18}, Country{"DO", 28},
    Country{"EE", 20}, Country{"EG", 29}, Country{"ES", 24}, Country{"FI", 18}, Country{"FK", 18},
    Country{"FO", 18}, Country{"FR", 27}, Country{"GB", 22}, Country{"GE", 22}, Country{"GI", 23},
    Country{"GL", 18}, Country{"GR", 27}, Country{"GT", 28}, Country{"HN", 28}, Country{"HR", 21},
    Country{"HU", 28}, Country{"IE", 22}, Country{"IL", 23}, Country{"IQ", 23}, Country{"IS", 26},
    Country{"IT", 27}, Country{"JO", 30}, Country{"KW", 30}, Country{"KZ", 20}, Country{"LB", 28},
    Country{"LC", 32}, Country{"LI", 21}, Country{"LT", 20}, Country{"LU", 20}, Country{"LV", 21},
    Country{"LY", 25}, Country{"MC", 27}, Country{"MD", 24}, Country{"ME", 22}, Country{"MK", 19},
    Country{"MN", 20}, Country{"MR", 27}, Country{"MT", 31}, Country{"MU", 30}, Country{"NI", 28},
    Country{"NL", 18}, Country{"NO", 15}, Country{"OM", 23}, Country{"PK", 24}, Country{"PL", 28},
    Country{"PS", 29}, Country{"PT", 25}, Country{"QA", 29}, Country{"RO", 24}, Country{"RS", 22},
    Country{"RU", 33}, Country{"SA", 24}, Country{"SC", 31}, Country{"SD", 18}, Country{"SE", 24},
    Country{"SI", 19}, Country{"SK", 24}, Country{"SM", 27}, Country{"SO", 23}, Country{"ST", 25},
    Country{"SV", 28}, Country{"TL", 23}, Country{"TN", 24}, Country{"TR", 26}, Country{"UA", 29},
    Country{"VA", 22}, Country{"VG", 24}, Country{"XK", 20}, Country{"YE", 30}};
static_assert(std::ranges::is_sorted(kCountries, {}, &Country::code));

std::uint32_t leading(std::string_view digits, std::size_t count) {
  std::uint32_t value = 0;
  for (const char c : digits.substr(0, count))
    value = value * 10 + static_cast<std::uint32_t>(c - '0');
  return value;
}

}  // namespace

bool luhn_valid(std::string_view digits) {
  int sum = 0;
  bool doubled = false;
  for (auto at = digits.rbegin(); at != digits.rend(); ++at, doubled = !doubled) {
    const int digit = *at - '0';
    sum += doubled ? 2 * digit - (digit > 4 ? 9 : 0) : digit;
  }
  return !digits.empty() && sum % 10 == 0;
}

bool is_card_prefix(std::string_view digits) {
  return std::ranges::any_of(kSchemes, [&](const Scheme& scheme) {
    if (digits.size() < scheme.shortest || digits.size() > scheme.longest) return false;
    const std::uint32_t value = leading(digits, scheme.digits);
    return value >= scheme.first && value <= scheme.last;
  });
}

std::size_t iban_length(std::string_view country) {
  const auto found = std::ranges::lower_bound(kCountries, country, {}, &Country::code);
  return found != kCountries.end() && found->code == country ? found->length : 0;
}

bool iban_valid(std::string_view iban) {
  if (iban.size() < 5) return false;
  std::uint32_t rest = 0;
  for (std::size_t i = 0; i < iban.size(); ++i) {
    const char c = iban[(i + 4) % iban.size()];  // the first four characters go to the end
    const bool letter = c >= 'A' && c <= 'Z';
    if (!letter && !(c >= '0' && c <= '9')) return false;
    rest = letter ? (rest * 100 + static_cast<std::uint32_t>(c - 'A') + 10) % 97
                  : (rest * 10 + static_cast<std::uint32_t>(c - '0')) % 97;
  }
  return rest == 1;
}

}  // namespace signalbox::pii
