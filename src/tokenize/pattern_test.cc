#include "tokenize/pattern.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace signalbox::tokenize {
namespace {

std::vector<std::string> matches(std::string_view expression, std::string_view text) {
  const auto pattern = Pattern::compile(expression);
  EXPECT_TRUE(pattern) << pattern.error().message;
  std::vector<std::string> found;
  for (const Pattern::Part& part : pattern->split(text)) {
    if (part.matched) found.emplace_back(text.substr(part.begin, part.end - part.begin));
  }
  return found;
}

using Texts = std::vector<std::string>;

TEST(Pattern, TheFirstAlternativeThatMatchesWins) {
  EXPECT_EQ(matches("a|ab", "ab"), (Texts{"a"}));
  EXPECT_EQ(matches("ab|a", "ab"), (Texts{"ab"}));
}

TEST(Pattern, ARepeatGivesBackWhatFollowsNeeds) {
  EXPECT_EQ(matches(R"(\s+(?!\S))", "a   b  "), (Texts{"  ", "  "}));
  EXPECT_EQ(matches("a*ab", "aaab"), (Texts{"aaab"}));
  EXPECT_EQ(matches("a++ab", "aaab"), (Texts{}));
}

TEST(Pattern, PropertiesFollowUnicode) {
  EXPECT_EQ(matches(R"(\p{L}+)", "na\xC3\xAFve\xE4\xB8\xAD 12"),
            (Texts{"na\xC3\xAFve\xE4\xB8\xAD"}));
  EXPECT_EQ(matches(R"(\p{N}{1,3})", "12345"), (Texts{"123", "45"}));
  EXPECT_EQ(matches(R"([^\s\p{L}\p{N}]+)", "a!? b\xE2\x80\x94"), (Texts{"!?", "\xE2\x80\x94"}));
}

TEST(Pattern, CaseIsIgnoredOnlyWhereAsked) {
  EXPECT_EQ(matches("(?i:'s)x", "'Sx 'SX"), (Texts{"'Sx"}));
  EXPECT_EQ(matches("(?i:s)", "\xC5\xBF"), (Texts{"\xC5\xBF"}));  // long s
}

TEST(Pattern, RangesAndEscapesInSets) {
  EXPECT_EQ(matches(R"([a-c\]\-]+)", "abc]-d"), (Texts{"abc]-"}));
  EXPECT_EQ(matches(R"([^\r\n]+)", "ab\r\nc"), (Texts{"ab", "c"}));
}

TEST(Pattern, WhatIsNotKnownIsUnsupportedAndNamed) {
  for (const auto* expression :
       {"^a", "a*?", "(?<=a)b", "(ab)+", R"(\p{Han})", R"(\b)", "[a[b]]"}) {
    const auto pattern = Pattern::compile(expression);
    ASSERT_FALSE(pattern) << expression;
    EXPECT_EQ(pattern.error().code, Code::kUnsupported) << expression;
  }
}

TEST(Pattern, WhatDoesNotParseIsCorrupt) {
  for (const auto* expression :
       {"", "(a", "a)", "[a", "*a", "a{2", "a{3,2}", "[b-a]", "\\", R"(\p{L)"}) {
    const auto pattern = Pattern::compile(expression);
    ASSERT_FALSE(pattern) << expression;
    EXPECT_EQ(pattern.error().code, Code::kCorrupt) << expression;
  }
}

TEST(Pattern, APatternThatBacktracksTooMuchLeavesTheRestAlone) {
  const auto pattern = Pattern::compile("a*a*a*a*a*a*b");
  ASSERT_TRUE(pattern);
  const auto parts = pattern->split(std::string(2000, 'a'));
  ASSERT_EQ(parts.size(), 1u);
  EXPECT_FALSE(parts.front().matched);
}

RC_GTEST_PROP(Pattern, PartsCoverTheText, (const std::vector<std::uint8_t>& picks)) {
  static const auto pattern =
      Pattern::compile(R"( ?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)");
  constexpr std::string_view kAlphabet[] = {
      "a", "1", " ", "\n", "!", "\xC3\xA9", "\xF0\x9F\x98\x80"};
  std::string text;
  for (const std::uint8_t pick : picks) text += kAlphabet[pick % std::size(kAlphabet)];
  std::size_t at = 0;
  for (const Pattern::Part& part : pattern->split(text)) {
    RC_ASSERT(part.begin == at);
    RC_ASSERT(part.end > part.begin);
    at = part.end;
  }
  RC_ASSERT(at == text.size());
}

}  // namespace
}  // namespace signalbox::tokenize
