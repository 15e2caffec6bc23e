#include "pii/identifiers.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cstdint>
#include <string>
#include <utility>

#include "pii/checksum.h"

namespace signalbox::pii {
namespace {

// "TYPE:text" of everything found, joined by " | ".
std::string found(const std::string& text) {
  std::string out;
  for (const Entity& entity : find_identifiers(text)) {
    out += (out.empty() ? "" : " | ") + std::string(type_name(entity.type)) + ":" +
           text.substr(entity.begin, entity.end - entity.begin);
  }
  return out;
}

std::string with_luhn(std::string digits) {
  for (char last = '0'; last <= '9'; ++last) {
    if (luhn_valid(digits + last)) return digits + last;
  }
  return digits;
}

TEST(Identifiers, CardsAreFoundInEveryUsualWriting) {
  for (const std::string card :
       {"4111111111111111", "4111 1111 1111 1111", "4111-1111-1111-1111", "4111.1111.1111.1111",
        "4111\xC2\xA0"
        "1111\xC2\xA0"
        "1111\xC2\xA0"
        "1111",
        "4111 - 1111 - 1111 - 1111", "378282246310005", "3782 822463 10005", "30569309025904",
        "3056 930902 5904", "6011000990139424", "3530111333300000", "5018 0000 0009",
        "4222222222222", "41 11 11 11 11 11 11 11"}) {
    EXPECT_EQ(found("my card " + card + ", exp 04/29"), "CREDIT_CARD:" + card);
  }
}

TEST(Identifiers, ANumberThatFailsLuhnIsNoCard) {
  EXPECT_EQ(found("my card is 4111111111111112"), "");
  EXPECT_EQ(found("card 1234-5678-9012-3456"), "");
  EXPECT_EQ(found("order 10000000000000000000000000004111111111111111"), "");
}

TEST(Identifiers, CardsAreFoundInUnusualWritings) {
  for (const std::string card :
       {"4111_1111_1111_1111", "4111\t1111\t1111\t1111", "4111/1111/1111/1111",
        "4111 1111\n1111 1111", "4111-1111-\r\n1111-1111", "41111111\n11111111",
        "4111\n1111\n1111\n1111",
        "\uFF14\uFF11\uFF11\uFF11\uFF11\uFF11\uFF11\uFF11\uFF11\uFF11"
        "\uFF11\uFF11\uFF11\uFF11\uFF11\uFF11",
        "4111\u30001111\u30001111\u30001111", "4111\u200B1111\u200B1111\u200B1111",
        "\u0664\u0661\u0661\u0661 \u0661\u0661\u0661\u0661 \u0661\u0661\u0661\u0661 "
        "\u0661\u0661\u0661\u0661"}) {
    EXPECT_EQ(found("it is " + card + ", exp 04/29"), "CREDIT_CARD:" + card);
  }
}

TEST(Identifiers, AWordMayTouchACard) {
  for (const char* const text :
       {"cardno4111111111111111", "4111111111111111USD", "x4111 1111 1111 1111",
        "卡号4111111111111111。", "É4111111111111111", "pan_4111111111111111_exp_0429"}) {
    const std::string all = found(text);
    EXPECT_TRUE(all.starts_with("CREDIT_CARD:4111")) << all;
  }
}

TEST(Identifiers, DigitsInsideASerialNumberAreNoCard) {
  EXPECT_EQ(found("part AB12C4111111111111111"), "");
  EXPECT_EQ(found("sha 9f4111111111111111a0c44be1"), "");
  EXPECT_EQ(found("key x4222222222222y"), "");  // 13 digits
}

// Numbers from a fixed sequence, so that the test says the same each time.
TEST(Identifiers, ColumnsOfNumbersAreNoCards) {
  std::uint32_t state = 1;
  const auto next = [&] { return state = state * 1664525 + 1013904223; };
  std::string column, digits;
  for (int i = 0; i < 2000; ++i) {
    column += std::to_string(3000 + (next() >> 8U) % 3700) + "\n";
    digits += std::to_string((next() >> 8U) % 1000000);
  }
  EXPECT_EQ(found(column), "");
  EXPECT_EQ(found(digits), "");
}

TEST(Identifiers, WhatIsFoundInFullWidthLettersLiesAtTheirBytes) {
  EXPECT_EQ(found("メール：ａｎｎ＠ｅｘａｍｐｌｅ．ｃｏｍ、"),
            "EMAIL_ADDRESS:ａｎｎ＠ｅｘａｍｐｌｅ．ｃｏｍ");
}

TEST(Identifiers, IbansAreFoundInEveryUsualWriting) {
  for (const std::string iban :
       {"DE89370400440532013000", "DE89 3704 0044 0532 0130 00", "de89370400440532013000",
        "GB82-WEST-1234-5698-7654-32", "GB82 WEST 1234 5698 7654 32", "NO9386011117947",
        "MT84MALT011000012345MTLCAST001S", "DE89_3704_0044_0532_0130_00",
        "DE89.3704.0044.0532.0130.00", "DE89 3704 0044\n0532 0130 00",
        "DE89\u00A03704\u00A00044\u00A00532\u00A00130\u00A000",
        "\uFF24\uFF2589370400440532013000"}) {
    EXPECT_EQ(found("send it to " + iban + " please"), "IBAN_CODE:" + iban);
  }
}

TEST(Identifiers, ANameOrACurrencyMayTouchAnIban) {
  EXPECT_EQ(found("IBANDE89370400440532013000"), "IBAN_CODE:DE89370400440532013000");
  EXPECT_EQ(found("DE89370400440532013000EUR"), "IBAN_CODE:DE89370400440532013000");
  EXPECT_EQ(found("帐号DE89370400440532013000。"), "IBAN_CODE:DE89370400440532013000");
  EXPECT_EQ(found("xyDE89370400440532013000"), "");
}

TEST(Identifiers, AnIbanOfWrongCheckDigitsOrLengthIsNone) {
  EXPECT_EQ(found("DE88370400440532013000"), "");
  EXPECT_EQ(found("DE8937040044053201300"), "");
  EXPECT_EQ(found("DE893704004405320130001"), "");
}

TEST(Identifiers, SocialSecurityNumbersInFourWritings) {
  EXPECT_EQ(found("SSN 406-51-2279 / ok"), "US_SSN:406-51-2279");
  EXPECT_EQ(found("it is 480 70 0226."), "US_SSN:480 70 0226");
  EXPECT_EQ(found("it is 480.70.0226."), "US_SSN:480.70.0226");
  EXPECT_EQ(found("my ssn is 303265408, can you"), "US_SSN:303265408");
  EXPECT_EQ(found("303265408 is my social security number"), "US_SSN:303265408");
}

TEST(Identifiers, NumbersThatTheSocialSecurityOfficeNeverIssuedAreNone) {
  EXPECT_EQ(found("ssn 000-12-3456"), "");
  EXPECT_EQ(found("ssn 666-12-3456"), "");
  EXPECT_EQ(found("ssn 912-34-5678"), "");
  EXPECT_EQ(found("ssn 123-00-4567"), "");
  EXPECT_EQ(found("ssn 123-45-0000"), "");
}

TEST(Identifiers, NineDigitsWithoutContextAreNoSocialSecurityNumber) {
  EXPECT_EQ(found("the population is 303265408 people"), "");
}

TEST(Identifiers, PhonesOfManyCountries) {
  for (const std::string phone :
       {"(415) 555-0132", "(+358) 406647384", "415-555-0132", "415.555.0132", "1-800-555-0199",
        "+1 415 555 0132", "+33 4 98 91 46 74", "+49(0)8661965645", "+44 20 7946 0958",
        "001-676-257-6103", "001-581-516-3534x21794", "1-511-903-4065 x561", "415-555-0132 ext. 12",
        "04 98 91 46 74", "01.42.68.53.00", "01260 628894", "+91 98765 43210", "0161 496 0000"}) {
    EXPECT_EQ(found("you get me at " + phone + ", ok?"), "PHONE_NUMBER:" + phone);
  }
}

TEST(Identifiers, OddGroupsAreAPhoneWhereTheTextSaysSo) {
  EXPECT_EQ(found("phone 042505959, seen"), "PHONE_NUMBER:042505959");
  EXPECT_EQ(found("call Ann on 6091638447"), "PHONE_NUMBER:6091638447");
  EXPECT_EQ(found("order 6091638447 arrived"), "");
  EXPECT_EQ(found("tel. 79/001 1924"), "PHONE_NUMBER:79/001 1924");
}

TEST(Identifiers, DatesVersionsAndAmountsAreNoPhones) {
  EXPECT_EQ(found("call me on 2024-05-12 or 12/05/2024 at 10:30"),
            "DATE_TIME:2024-05-12 | DATE_TIME:12/05/2024");
  EXPECT_EQ(found("upgrade to 10.15.7 now"), "");
  EXPECT_EQ(found("revenue of 1 234 567 dollars"), "");
}

TEST(Identifiers, MailAddressesStopAtWhatSurroundsThem) {
  EXPECT_EQ(found("Ann <ann.lee+x@mail.example.co.uk>, hi"),
            "EMAIL_ADDRESS:ann.lee+x@mail.example.co.uk");
  EXPECT_EQ(found("GET /login user=bo@example.net."), "EMAIL_ADDRESS:bo@example.net");
  EXPECT_EQ(found("jörg@müller.de"), "EMAIL_ADDRESS:jörg@müller.de");
  EXPECT_EQ(found("@property def x(self): a@b"), "");
}

TEST(Identifiers, HiddenMailAddressesAreSeen) {
  EXPECT_EQ(found("write to ann.lee at example dot com today"),
            "EMAIL_ADDRESS:ann.lee at example dot com");
  EXPECT_EQ(found("ann [at] example [dot] co [dot] uk"),
            "EMAIL_ADDRESS:ann [at] example [dot] co [dot] uk");
  EXPECT_EQ(found("meet me at noon dot"), "");
}

TEST(Identifiers, DigitsWrittenAsWords) {
  EXPECT_EQ(found("it's four one five, five five five, oh one three two thanks"),
            "PHONE_NUMBER:four one five, five five five, oh one three two");
  EXPECT_EQ(found("one two three go"), "");
}

TEST(Identifiers, InternetAddresses) {
  EXPECT_EQ(found("from 10.2.33.7, port 80"), "IP_ADDRESS:10.2.33.7");
  EXPECT_EQ(found("from 2001:db8::1fa4:a978 and"), "IP_ADDRESS:2001:db8::1fa4:a978");
  EXPECT_EQ(found("at ::ffff:10.0.0.1."), "IP_ADDRESS:::ffff:10.0.0.1");
  EXPECT_EQ(found("v1.2.3.4.5 or 300.1.1.1"), "");
  EXPECT_EQ(found("std::vector<int> at 10:20:30"), "");
}

TEST(Identifiers, HostNamesAndUrls) {
  EXPECT_EQ(found("see https://a.example.com/x?y=1)."), "DOMAIN_NAME:https://a.example.com/x?y=1");
  EXPECT_EQ(found("website reeves-reed.info."), "DOMAIN_NAME:reeves-reed.info");
  EXPECT_EQ(found("open main.py and README.md, e.g. with node.js or ASP.NET"), "");
  EXPECT_EQ(found("it is done.So we left."), "");
}

TEST(Identifiers, LicencesAndPostalCodesOnlyWhereTheyAreNamed) {
  EXPECT_EQ(found("My driver's license number is S99566056"), "US_DRIVER_LICENSE:S99566056");
  EXPECT_EQ(found("part S99566056"), "");
  EXPECT_EQ(found("ZIP: 03964"), "ZIP_CODE:03964");
  EXPECT_EQ(found("exactly 03964 items"), "");
}

TEST(Identifiers, AContextWordNamesTheNumberNextToItOnly) {
  EXPECT_EQ(found("SSN 406-51-2279 / DL 016265857 / ZIP 59315"),
            "US_SSN:406-51-2279 | US_DRIVER_LICENSE:016265857 | ZIP_CODE:59315");
}

TEST(Identifiers, AgesWhereTheTextSaysSo) {
  EXPECT_EQ(found("Age: 91; Address"), "AGE:91");
  EXPECT_EQ(found("a 76-year-old man"), "AGE:76");
  EXPECT_EQ(found("she is 27 years old"), "AGE:27");
  EXPECT_EQ(found("page 91 of 300"), "");
  EXPECT_EQ(found("aged 400 years old"), "");
}

TEST(Identifiers, NationalitiesOfPeopleNotLanguages) {
  EXPECT_EQ(found("I am south african but"), "NRP:south african");
  EXPECT_EQ(found("My Tanzanian colleague"), "NRP:Tanzanian");
  EXPECT_EQ(found("translate this to French"), "");
  EXPECT_EQ(found("the English language"), "");
}

TEST(Identifiers, WrittenDates) {
  EXPECT_EQ(found("by 09/11/89 or 2024-02-29"), "DATE_TIME:09/11/89 | DATE_TIME:2024-02-29");
  EXPECT_EQ(found("on 31.12.1999."), "DATE_TIME:31.12.1999");
  EXPECT_EQ(found("ratio 45/99/12, version 1.2.19"), "");
}

// Digits in full width.
std::string widened(const std::string& text) {
  std::string out;
  for (const char c : text) {
    out += c >= '0' && c <= '9' ? "\xEF\xBC" + std::string(1, static_cast<char>(c - '0' + 0x90))
                                : std::string(1, c);
  }
  return out;
}

std::string in_fours(const std::string& characters, const std::string& separator) {
  std::string written;
  for (std::size_t i = 0; i < characters.size(); ++i)
    written += (i > 0 && i % 4 == 0 ? separator : "") + characters[i];
  return written;
}

std::string any_separator() {
  return *rc::gen::element<std::string>("", " ", "-", ".", "/", "_", "\t", "\n", "\r\n", " - ",
                                        "  ", "\u00A0", "\u2011", "\u2009", "\u202F", "\u3000",
                                        "\u200B", "\uFF0D");
}

RC_GTEST_PROP(Identifiers, EveryCardNumberIsFoundWhateverSeparatesItsFours, ()) {
  std::string digits =
      *rc::gen::element<std::string>("4", "51", "55", "2221", "6011", "3528", "62");
  while (digits.size() < 15) digits += static_cast<char>('0' + *rc::gen::inRange(0, 10));
  digits = with_luhn(digits);
  std::string written = in_fours(digits, any_separator());
  if (*rc::gen::arbitrary<bool>()) written = widened(written);
  const std::string before =
      *rc::gen::element<std::string>("", "card: ", "x=", "(", "> ", "12 apples, ", "id", "号码");
  RC_ASSERT(found(before + written +
                  *rc::gen::element<std::string>("", ".", ")", " ok", ",", "EUR", "。")) ==
            "CREDIT_CARD:" + written);
}

RC_GTEST_PROP(Identifiers, EveryIbanIsFoundWhateverSeparatesItsFours, ()) {
  const std::string country =
      *rc::gen::element<std::string>("DE", "FR", "GB", "NO", "NL", "CH", "ES", "MT");
  const std::size_t length = iban_length(country);
  std::string body;
  while (body.size() + 4 < length) body += static_cast<char>('0' + *rc::gen::inRange(0, 10));
  std::string iban;
  for (int check = 2; check < 99; ++check) {
    iban = country + (check < 10 ? "0" : "") + std::to_string(check) + body;
    if (iban_valid(iban)) break;
  }
  std::string written = in_fours(iban, any_separator());
  if (*rc::gen::arbitrary<bool>()) written = widened(written);
  const std::string before =
      *rc::gen::element<std::string>("", "pay to ", "IBAN:", "(", "\n", "口座");
  RC_ASSERT(
      found(before + written + *rc::gen::element<std::string>("", ".", ")", " ok", ",", "。")) ==
      "IBAN_CODE:" + written);
}

RC_GTEST_PROP(Identifiers, EntitiesLieInOrderInsideAnyBytesAndNeverSplitACharacter,
              (const std::vector<std::string>& parts)) {
  std::string text;
  for (const std::string& part : parts) {
    text += part;
    text += *rc::gen::element<std::string>("a@b.de", "+49 30 1234567", "::1", "\xC3", "\xE2\x80",
                                           "DE89", "4111 1111 1111 1111", " call ", "at x dot com");
  }
  std::size_t at = 0;
  for (const Entity& entity : find_identifiers(text)) {
    RC_ASSERT(entity.begin >= at);
    RC_ASSERT(entity.begin < entity.end);
    RC_ASSERT(entity.end <= text.size());
    at = entity.end;
  }
}

}  // namespace
}  // namespace signalbox::pii
