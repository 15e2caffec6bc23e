// Check digits of payment cards and bank accounts.
#pragma once

#include <string_view>

namespace signalbox::pii {

// Luhn's check over decimal digits only. False for no digits.
bool luhn_valid(std::string_view digits);

// True for a number whose first digits and length belong to a card scheme (Visa, Mastercard, Amex,
// Discover, Diners, JCB, Maestro, UnionPay, Mir); says nothing about Luhn. Decimal digits only.
bool is_card_prefix(std::string_view digits);

// Length of an IBAN of the country whose two letters are given in capitals; 0 if there are none.
std::size_t iban_length(std::string_view country);

// ISO 7064 mod 97-10 over an IBAN of capitals and digits without spaces, country first.
bool iban_valid(std::string_view iban);

}  // namespace signalbox::pii
