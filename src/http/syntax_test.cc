#include "http/syntax.h"

#include <gtest/gtest.h>

#include <string>

namespace signalbox::http {
namespace {

bool is_allowed_in_values(int byte) { return byte == '\t' || (byte >= 0x20 && byte != 0x7f); }

TEST(FieldValue, EveryByteIsJudgedTheSameAtEveryPlace) {
  for (std::size_t length : {1u, 7u, 8u, 9u, 16u, 21u}) {
    for (std::size_t at = 0; at < length; ++at) {
      for (int byte = 0; byte < 256; ++byte) {
        std::string text(length, 'a');
        text[at] = static_cast<char>(byte);
        EXPECT_EQ(is_field_value(text), is_allowed_in_values(byte)) << byte << " at " << at;
        text[length - 1 - at / 2] = '\xff';
        const int kept = static_cast<unsigned char>(text[at]);
        EXPECT_EQ(is_field_value(text), is_allowed_in_values(kept)) << byte << " at " << at;
      }
    }
  }
  EXPECT_TRUE(is_field_value(""));
}

TEST(Token, IsWhatTheGrammarSays) {
  EXPECT_TRUE(is_token("x-Request_ID.1~"));
  for (const char* bad : {"", "a b", "a:", "a\t", "\xc3\xa9", "a,b", "\"a\""}) {
    EXPECT_FALSE(is_token(bad)) << bad;
  }
}

TEST(ListHasToken, ComparesWholeTokensWithoutCase) {
  EXPECT_TRUE(list_has_token("keep-alive, Upgrade", "upgrade"));
  EXPECT_FALSE(list_has_token("keep-alive-not, x", "keep-alive"));
  EXPECT_FALSE(list_has_token("", "close"));
}

}  // namespace
}  // namespace signalbox::http
