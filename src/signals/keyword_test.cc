#include "signals/keyword.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "base/limits.h"

namespace signalbox::signals {
namespace {

using config::KeywordOperator;
using exchange::SignalState;

config::KeywordRule rule(KeywordOperator op, std::vector<std::string> keywords,
                         bool case_sensitive = false) {
  config::KeywordRule made;
  made.name = "rule";
  made.op = op;
  made.keywords = std::move(keywords);
  made.case_sensitive = case_sensitive;
  return made;
}

// Which of the rules match the text.
std::vector<bool> matches(const std::vector<config::KeywordRule>& rules, std::string_view text) {
  auto keywords = Keywords::compile(rules);
  EXPECT_TRUE(keywords) << (keywords ? "" : keywords.error().message);
  Scratch scratch;
  EXPECT_TRUE(scratch.prepare(keywords->matcher()));
  std::vector<exchange::SignalValue> values(rules.size());
  std::vector<Wanted> wanted;
  for (std::uint32_t i = 0; i < rules.size(); ++i) wanted.push_back({i, &values[i]});
  keywords->evaluate(wanted, text, scratch);
  std::vector<bool> out;
  for (const auto& value : values) {
    EXPECT_TRUE(value.state == SignalState::kMatch || value.state == SignalState::kNoMatch);
    out.push_back(value.state == SignalState::kMatch);
  }
  return out;
}
bool match(const config::KeywordRule& one, std::string_view text) {
  return matches({one}, text)[0];
}

TEST(Keyword, OrNeedsOneAndNeedsAllNorNeedsNone) {
  const std::vector<config::KeywordRule> rules = {rule(KeywordOperator::kOr, {"urgent", "asap"}),
                                                  rule(KeywordOperator::kAnd, {"urgent", "asap"}),
                                                  rule(KeywordOperator::kNor, {"urgent", "asap"})};
  EXPECT_EQ(matches(rules, "this is urgent"), (std::vector<bool>{true, false, false}));
  EXPECT_EQ(matches(rules, "asap, very urgent"), (std::vector<bool>{true, true, false}));
  EXPECT_EQ(matches(rules, "no hurry"), (std::vector<bool>{false, false, true}));
  EXPECT_EQ(matches(rules, ""), (std::vector<bool>{false, false, true}));
}

TEST(Keyword, OnlyWholeWordsCount) {
  EXPECT_FALSE(match(rule(KeywordOperator::kOr, {"think"}), "rethinking the thinkers"));
  EXPECT_TRUE(match(rule(KeywordOperator::kOr, {"think"}), "rethinking... think!"));
}

TEST(Keyword, PhrasesAndPunctuationAreTakenLiterally) {
  EXPECT_TRUE(match(rule(KeywordOperator::kOr, {"machine learning"}), "Is Machine Learning hard?"));
  EXPECT_FALSE(match(rule(KeywordOperator::kOr, {"machine learning"}), "machine-learning"));
  EXPECT_TRUE(match(rule(KeywordOperator::kOr, {"c++"}), "modern C++."));
  EXPECT_FALSE(match(rule(KeywordOperator::kOr, {"a.c"}), "abc"));
}

TEST(Keyword, CaseIsComparedOnlyWhereTheRuleSaysSo) {
  EXPECT_TRUE(match(rule(KeywordOperator::kOr, {"ÜBER"}), "die über alles"));
  EXPECT_FALSE(match(rule(KeywordOperator::kOr, {"SQL"}, true), "some sql"));
  EXPECT_TRUE(match(rule(KeywordOperator::kOr, {"SQL"}, true), "some SQL"));
  // The same word under both rules in one scan.
  EXPECT_EQ(
      matches({rule(KeywordOperator::kOr, {"SQL"}, true), rule(KeywordOperator::kOr, {"SQL"})},
              "sql"),
      (std::vector<bool>{false, true}));
}

TEST(Keyword, ChineseAndJapaneseKeywordsMatchInsideRunningText) {
  EXPECT_TRUE(match(rule(KeywordOperator::kOr, {"紧急"}), "这是一个紧急的问题"));
  EXPECT_TRUE(match(rule(KeywordOperator::kOr, {"緊急"}), "これは緊急です"));
  EXPECT_TRUE(match(rule(KeywordOperator::kOr, {"gpu"}), "用GPU训练"));
}

TEST(Keyword, SlashesMakeARegularExpression) {
  EXPECT_TRUE(match(rule(KeywordOperator::kOr, {"/[?？]{2,}/"}), "really??"));
  EXPECT_FALSE(match(rule(KeywordOperator::kOr, {"/[?？]{2,}/"}), "really?"));
  EXPECT_TRUE(match(rule(KeywordOperator::kOr, {"/^def\\s/"}), "DEF main"));
  EXPECT_FALSE(match(rule(KeywordOperator::kOr, {"/^def\\s/"}, true), "DEF main"));
  EXPECT_TRUE(match(rule(KeywordOperator::kAnd, {"/a|b/", "word"}), "b word"));
}

TEST(Keyword, AKeywordListedTwiceCountsOnce) {
  EXPECT_TRUE(match(rule(KeywordOperator::kAnd, {"one", "one", "two"}), "two one"));
}

TEST(Keyword, HostilePatternsAreRefusedAtLoad) {
  for (const std::string pattern :
       {"/(/", "/(a{1000}){1000}/", "/\\p{Han}{1000}/", "/(?P<x>a)\\1/"}) {
    const auto keywords = Keywords::compile(std::vector{rule(KeywordOperator::kOr, {pattern})});
    ASSERT_FALSE(keywords) << pattern;
    EXPECT_EQ(keywords.error().code, Code::kConfig);
    EXPECT_NE(keywords.error().message.find("rule"), std::string::npos);
  }
  EXPECT_FALSE(Keywords::compile(
      std::vector{rule(KeywordOperator::kOr, {"/" + std::string(9000, 'a') + "/"})}));
  EXPECT_FALSE(Keywords::compile(std::vector{rule(KeywordOperator::kOr, {""})}));
  EXPECT_FALSE(Keywords::compile(std::vector{rule(KeywordOperator::kOr, {})}));
  EXPECT_FALSE(
      Keywords::compile(std::vector{rule(KeywordOperator::kOr, {std::string(5000, 'x')})}));
}

TEST(Keyword, CatastrophicBacktrackingPatternsAreLinearHere) {
  const std::string text(200'000, 'a');
  EXPECT_FALSE(match(rule(KeywordOperator::kOr, {"/(a+)+$b/"}), text));
}

TEST(Keyword, FiveThousandKeywordsAreFoundInOneScan) {
  std::vector<config::KeywordRule> rules;
  for (int i = 0; i < 500; ++i) {
    rules.push_back(rule(KeywordOperator::kOr, {}));
    for (int k = 0; k < 10; ++k)
      rules.back().keywords.push_back("word" + std::to_string(i * 10 + k));
  }
  const auto found = matches(rules, "first word17, then WORD4999 and word170x");
  for (std::size_t i = 0; i < found.size(); ++i) EXPECT_EQ(found[i], i == 1 || i == 499) << i;
}

TEST(Keyword, BytesThatAreNotTextDoNotHideAKeyword) {
  EXPECT_TRUE(
      match(rule(KeywordOperator::kOr, {"urgent"}), std::string_view("\0\xFF urgent \xC3", 11)));
  EXPECT_TRUE(match(rule(KeywordOperator::kOr, {"/urgent/"}), "\xFF\xFEurgent"));
}

// Hyperscan, boundaries and sharing of keywords between rules against the plain definition.
RC_GTEST_PROP(Keyword, OneScanFindsWhatALookAtEachKeywordFinds, ()) {
  const auto word =
      rc::gen::nonEmpty(rc::gen::container<std::string>(rc::gen::element('a', 'b', 'c', ' ', '+')));
  std::vector<config::KeywordRule> rules;
  const int count = *rc::gen::inRange(1, 5);
  for (int i = 0; i < count; ++i) {
    const auto op =
        *rc::gen::element(KeywordOperator::kAnd, KeywordOperator::kOr, KeywordOperator::kNor);
    rules.push_back(
        rule(op, *rc::gen::nonEmpty(rc::gen::container<std::vector<std::string>>(word))));
  }
  const std::string text =
      *rc::gen::container<std::string>(rc::gen::element('a', 'b', 'c', 'C', ' ', '+'));
  std::string lower;
  for (const char c : text) lower.push_back(c == 'C' ? 'c' : c);
  const auto is_letter = [](char c) { return c >= 'a' && c <= 'c'; };
  const auto holds = [&](const std::string& keyword) {
    for (std::size_t at = lower.find(keyword); at != std::string::npos;
         at = lower.find(keyword, at + 1)) {
      const std::size_t end = at + keyword.size();
      const bool left = at == 0 || !is_letter(keyword.front()) || !is_letter(lower[at - 1]);
      const bool right =
          end == lower.size() || !is_letter(keyword.back()) || !is_letter(lower[end]);
      if (left && right) return true;
    }
    return false;
  };
  std::vector<bool> expected;
  for (const auto& one : rules) {
    const auto hits = std::count_if(one.keywords.begin(), one.keywords.end(), holds);
    expected.push_back(one.op == KeywordOperator::kAnd
                           ? hits == static_cast<long>(one.keywords.size())
                       : one.op == KeywordOperator::kOr ? hits > 0
                                                        : hits == 0);
  }
  RC_ASSERT(matches(rules, text) == expected);
}

}  // namespace
}  // namespace signalbox::signals
