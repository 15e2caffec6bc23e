#include "signals/structure.h"

#include <gtest/gtest.h>

#include "base/limits.h"

namespace signalbox::signals {
namespace {

using exchange::SignalState;

config::StructureRule rule(std::string feature, std::string source) {
  config::StructureRule made;
  made.name = "rule";
  made.feature_type = std::move(feature);
  made.source_type = std::move(source);
  return made;
}

bool match(const config::StructureRule& one, std::string_view text) {
  auto structures = Structures::compile(std::vector{one});
  EXPECT_TRUE(structures) << (structures ? "" : structures.error().message);
  Scratch scratch;
  EXPECT_TRUE(structures->prepare(scratch));
  const auto value = structures->evaluate(0, text, scratch);
  EXPECT_NE(value.state, SignalState::kFailed);
  return value.state == SignalState::kMatch;
}

TEST(Structure, CountsPatternOccurrencesAgainstBothBounds) {
  auto many = rule("count", "regex");
  many.pattern = "[?？]";
  many.predicate.gte = 4;
  EXPECT_TRUE(match(many, "Who? What? Where? 为什么？"));
  EXPECT_FALSE(match(many, "Who? What? Where?"));
  auto few = many;
  few.predicate = {.lte = 1};
  EXPECT_TRUE(match(few, "just one?"));
  EXPECT_FALSE(match(few, "one? two?"));
}

TEST(Structure, FindsNumberedStepsOnAnyLine) {
  auto steps = rule("exists", "regex");
  steps.pattern = R"((?m)^\s*\d+\.\s+)";
  EXPECT_TRUE(match(steps, "do this:\n 1. first\n 2. second"));
  EXPECT_FALSE(match(steps, "pi is 3.14"));
}

TEST(Structure, MarkersMustComeInOrder) {
  auto flow = rule("sequence", "sequence");
  flow.sequences = {{"first", "next", "finally"}, {"首先", "然后"}};
  EXPECT_TRUE(match(flow, "First boil water, next add tea, finally wait."));
  EXPECT_FALSE(match(flow, "finally next first"));
  EXPECT_FALSE(match(flow, "first, then next"));
  EXPECT_TRUE(match(flow, "首先打开文件，然后保存"));
  // Steps of two different sequences do not add up.
  EXPECT_FALSE(match(flow, "first 然后 finally"));
}

TEST(Structure, DensityIsPerWordOrIdeograph) {
  auto dense = rule("density", "keyword_set");
  dense.keywords = {"at most", "不超过"};
  dense.predicate.gt = 0.08;
  EXPECT_TRUE(match(dense, "use at most five words"));
  EXPECT_FALSE(match(dense, "one two three four five six seven eight nine ten eleven at most"));
  EXPECT_TRUE(match(dense, "不超过五个字"));
  EXPECT_FALSE(match(dense, "!!!"));
}

TEST(Structure, SizeIsInBytesOfUtf8) {
  auto large = rule("count", "text_bytes");
  large.predicate.gte = 6;
  EXPECT_TRUE(match(large, "紧急"));
  EXPECT_FALSE(match(large, "ab"));
}

TEST(Structure, WithoutAPredicateAnythingAboveZeroMatches) {
  auto words = rule("count", "keyword_set");
  words.keywords = {"table"};
  EXPECT_TRUE(match(words, "as a Table"));
  EXPECT_FALSE(match(words, "as a list"));
}

TEST(Structure, WhiteSpaceAloneNeverMatchesNotEvenAnUpperBound) {
  auto few = rule("count", "regex");
  few.pattern = "x";
  few.predicate.lte = 10;
  EXPECT_FALSE(match(few, " \n\t"));
}

TEST(Structure, APatternThatMatchesNothingAtAllStillEnds) {
  auto empty = rule("density", "regex");
  empty.pattern = "x*";
  empty.predicate.gt = 0;
  EXPECT_TRUE(match(empty, "äöü 紧急 \xFF"));
}

TEST(Structure, AnswersInBoundedTimeWhenEverySearchReadsToTheEnd) {
  auto hostile = rule("count", "regex");
  hostile.pattern = "y.*z|y";
  hostile.predicate.gte = 1e9;
  EXPECT_FALSE(match(hostile, std::string(4 << 20, 'y')));
}

TEST(Structure, RulesThatCannotWorkAreRefusedByName) {
  for (const auto& bad :
       {rule("count", "regex"), rule("count", "keyword_set"), rule("sequence", "sequence"),
        rule("sum", "regex"), rule("count", "image")}) {
    const auto structures = Structures::compile(std::vector{bad});
    ASSERT_FALSE(structures);
    EXPECT_EQ(structures.error().code, Code::kConfig);
    EXPECT_NE(structures.error().message.find("'rule'"), std::string::npos);
  }
}

}  // namespace
}  // namespace signalbox::signals
