#include "signals/words.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace signalbox::signals {
namespace {

std::string folded(std::string_view text) {
  std::string out;
  fold(text, out);
  return out;
}

bool stands_alone(std::string_view text, std::string_view word) {
  const std::size_t at = text.find(word);
  EXPECT_NE(at, std::string_view::npos);
  return whole_word(text, at, at + word.size());
}

TEST(Words, AWordInsideALongerOneIsNoWholeWord) {
  EXPECT_TRUE(stands_alone("please think twice", "think"));
  EXPECT_FALSE(stands_alone("rethinking", "think"));
  EXPECT_FALSE(stands_alone("thinks", "think"));
  EXPECT_FALSE(stands_alone("think_tank", "think"));
  EXPECT_TRUE(stands_alone("(think)", "think"));
  EXPECT_TRUE(stands_alone("think", "think"));
}

TEST(Words, LettersBeyondAsciiContinueAWord) {
  EXPECT_FALSE(stands_alone("naïveté", "naïvet"));
  EXPECT_FALSE(stands_alone("überall", "berall"));
  EXPECT_FALSE(stands_alone("срочно", "сроч"));
  EXPECT_TRUE(stands_alone("это срочно!", "срочно"));
  // A combining accent belongs to the letter before it.
  EXPECT_FALSE(stands_alone("cafe\xCC\x81", "cafe"));
}

TEST(Words, ScriptsWithoutSpacesHaveABoundaryEverywhere) {
  EXPECT_TRUE(stands_alone("请尽快处理这个紧急问题", "紧急"));
  EXPECT_TRUE(stands_alone("用GPU训练", "GPU"));
  EXPECT_TRUE(stands_alone("これは緊急です", "緊急"));
  EXPECT_TRUE(stands_alone("긴급합니다", "긴급"));
}

TEST(Words, EdgesOfPunctuationNeedNoBoundary) {
  EXPECT_TRUE(stands_alone("c++20", "c++"));
  EXPECT_FALSE(stands_alone("abc++", "c++"));
  EXPECT_TRUE(stands_alone("a.b", ".b"));
}

TEST(Words, AnEmojiBeforeAWordIsABoundary) {
  EXPECT_TRUE(stands_alone("\xE2\x9A\xA0\xEF\xB8\x8Furgent", "urgent"));
}

TEST(Words, FoldingLowersEveryScriptThatHasCase) {
  EXPECT_EQ(folded("ÄÖÜ ΑΒΓ ДЖ Ⴀ ABC"), "äöü αβγ дж ⴀ abc");
  EXPECT_EQ(folded("紧急"), "紧急");
}

TEST(Words, FoldingKeepsBytesThatAreNotUtf8) { EXPECT_EQ(folded("A\xFF\xC3"), "a\xFF\xC3"); }

TEST(Words, UnitsAreWordsAndSingleIdeographs) {
  EXPECT_EQ(text_units("at most three words here"), 5U);
  EXPECT_EQ(text_units("不超过三个"), 5U);
  EXPECT_EQ(text_units("用GPU训练 models"), 5U);
  EXPECT_EQ(text_units("한국어 문장"), 2U);
  EXPECT_EQ(text_units("... !!"), 0U);
}

RC_GTEST_PROP(Words, NoBytesAreReadOutsideTheText, (const std::vector<std::uint8_t>& bytes)) {
  // An exact heap copy, so that the sanitizer sees any step over the edge.
  const std::string text(bytes.begin(), bytes.end());
  const std::vector<char> exact(text.begin(), text.end());
  const std::string_view view(exact.data(), exact.size());
  for (std::size_t begin = 0; begin < view.size(); ++begin) {
    for (std::size_t end = begin; end <= view.size(); ++end) whole_word(view, begin, end);
  }
  RC_ASSERT(text_units(view) <= view.size());
  RC_ASSERT(folded(view).size() <= 3 * view.size());
}

}  // namespace
}  // namespace signalbox::signals
