#include "signals/domain.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "signals/domain_keywords.h"

namespace signalbox::signals {
namespace {

using exchange::Rung;
using exchange::SignalState;

// Probabilities with `share` on one label and the rest spread evenly.
std::vector<float> sure_of(std::string_view label, float share) {
  const auto labels = encoder::Encoder::domain_labels();
  std::vector<float> out(labels.size(), (1 - share) / static_cast<float>(labels.size() - 1));
  out[static_cast<std::size_t>(std::find(labels.begin(), labels.end(), label) - labels.begin())] =
      share;
  return out;
}

TEST(Domain, ARuleCoversItsListedLabelsOrItsOwnName) {
  const std::vector<config::DomainRule> rules = {
      {.name = "science", .mmlu_categories = {"Physics", "computer_science"}}, {.name = "math"}};
  Domains domains(rules, 0, "");
  EXPECT_EQ(domains.evaluate(0, domains.judge(sure_of("physics", 0.9F), Rung::kEncoder)).state,
            SignalState::kMatch);
  EXPECT_EQ(
      domains.evaluate(0, domains.judge(sure_of("computer science", 0.9F), Rung::kEncoder)).state,
      SignalState::kMatch);
  const auto math = domains.judge(sure_of("math", 0.8F), Rung::kEncoder);
  EXPECT_EQ(domains.evaluate(0, math).state, SignalState::kNoMatch);
  const auto value = domains.evaluate(1, math);
  EXPECT_EQ(value.state, SignalState::kMatch);
  EXPECT_FLOAT_EQ(value.confidence, 0.8F);
}

TEST(Domain, BelowTheThresholdTheFallbackCategoryStands) {
  const std::vector<config::DomainRule> rules = {{.name = "math"}, {.name = "other"}};
  Domains strict(rules, 0.6F, "other");
  const auto unsure = strict.judge(sure_of("math", 0.5F), Rung::kEncoder);
  EXPECT_EQ(unsure.category, "other");
  EXPECT_EQ(strict.evaluate(0, unsure).state, SignalState::kNoMatch);
  EXPECT_EQ(strict.evaluate(1, unsure).state, SignalState::kMatch);
  Domains bare(rules, 0.6F, "");
  EXPECT_EQ(bare.judge(sure_of("math", 0.5F), Rung::kEncoder).category, "");
  EXPECT_EQ(bare.judge(sure_of("math", 0.6F), Rung::kEncoder).category, "math");
}

TEST(Domain, ALabelNeedsNoRuleOfItsOwnButAnUnknownNameIsNone) {
  Domains domains({}, 0, "");
  const auto law = domains.find_or_add("law");
  ASSERT_TRUE(law);
  EXPECT_EQ(domains.evaluate(*law, domains.judge(sure_of("law", 0.9F), Rung::kEncoder)).state,
            SignalState::kMatch);
  EXPECT_FALSE(domains.find_or_add("cooking"));
}

TEST(Domain, WithoutAnyVerdictTheLeafFails) {
  Domains domains(std::vector<config::DomainRule>{{.name = "math"}}, 0, "");
  EXPECT_EQ(domains.evaluate(0, domains.judge({}, Rung::kEncoder)).state, SignalState::kFailed);
}

class DomainKeywordsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto compiled = DomainKeywords::compile();
    ASSERT_TRUE(compiled) << compiled.error().message;
    keywords = *std::move(compiled);
    ASSERT_TRUE(scratch.prepare(keywords.matcher()));
  }
  std::string guess(std::string_view text) {
    scratch.reset();
    const auto found = keywords.guess(text, scratch);
    return found ? std::string(encoder::Encoder::domain_labels()[found->label]) : "";
  }
  DomainKeywords keywords;
  Scratch scratch;
};

TEST_F(DomainKeywordsTest, AFewTellingWordsGiveTheDomain) {
  EXPECT_EQ(guess("What is the derivative of f(x) = x^3?"), "math");
  EXPECT_EQ(guess("Can my landlord keep the deposit? I want to file a lawsuit."), "law");
  EXPECT_EQ(guess("Write a Python function for binary search"), "computer science");
  EXPECT_EQ(guess("How do mitochondria produce energy in the cell?"), "biology");
  EXPECT_EQ(guess("What caused the fall of the Roman empire?"), "history");
  EXPECT_EQ(guess("Does inflation rise when the central bank cuts interest rates?"), "economics");
}

TEST_F(DomainKeywordsTest, NoWordAndATieAreNoGuess) {
  EXPECT_EQ(guess("Tell me a story about a dragon"), "");
  EXPECT_EQ(guess("history and biology"), "");
}

TEST_F(DomainKeywordsTest, MoreAgreementGivesMoreConfidenceButNeverCertainty) {
  const auto confidence = [this](std::string_view text) {
    scratch.reset();
    return keywords.guess(text, scratch)->confidence;
  };
  const float one = confidence("a triangle");
  const float three = confidence("the equation of a triangle in geometry");
  EXPECT_LT(one, three);
  EXPECT_LT(three, 0.9F);
}

TEST_F(DomainKeywordsTest, EveryLabelButOtherHasWords) {
  for (const std::string_view label : encoder::Encoder::domain_labels()) {
    EXPECT_EQ(DomainKeywords::words(label).empty(), label == "other") << label;
  }
}

}  // namespace
}  // namespace signalbox::signals
