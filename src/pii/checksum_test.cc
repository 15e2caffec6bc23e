#include "pii/checksum.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <string>

namespace signalbox::pii {
namespace {

RC_GTEST_PROP(Luhn, EverySingleWrongDigitIsNoticed, ()) {
  std::string digits = "4111111111111111";
  const auto at = *rc::gen::inRange<std::size_t>(0, digits.size());
  const char other = static_cast<char>('0' + *rc::gen::inRange(0, 10));
  RC_PRE(digits[at] != other);
  digits[at] = other;
  RC_ASSERT(!luhn_valid(digits));
}

RC_GTEST_PROP(Iban, EverySwapOfUnequalNeighboursIsNoticed, ()) {
  std::string iban = "DE89370400440532013000";
  const auto at = *rc::gen::inRange<std::size_t>(4, iban.size() - 1);
  RC_PRE(iban[at] != iban[at + 1]);
  std::swap(iban[at], iban[at + 1]);
  RC_ASSERT(!iban_valid(iban));
}

TEST(Iban, KnowsTheLengthsOfTheRegistry) {
  EXPECT_EQ(iban_length("NO"), 15u);
  EXPECT_EQ(iban_length("MT"), 31u);
  EXPECT_EQ(iban_length("US"), 0u);
}

TEST(Card, PrefixAndLengthBelongTogether) {
  EXPECT_TRUE(is_card_prefix("378282246310005"));
  EXPECT_FALSE(is_card_prefix("3782822463100051"));
  EXPECT_FALSE(is_card_prefix("1234567890123456"));
}

}  // namespace
}  // namespace signalbox::pii
