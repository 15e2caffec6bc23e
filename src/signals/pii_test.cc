#include "signals/pii.h"

#include <gtest/gtest.h>

#include "base/limits.h"

namespace signalbox::signals {
namespace {

using exchange::SignalState;

pii::Entity entity(pii::Type type, float confidence = 0.9F) {
  return {0, 4, type, confidence, pii::Source::kModel};
}

PiiRules rules() {
  const std::vector<config::PiiRule> configured{
      {.name = "any"},
      {.name = "but_names", .types_allowed = {"PERSON", "GPE"}},
      {.name = "sure", .threshold = 0.95},
      {.name = "all_messages", .include_history = true}};
  return PiiRules(configured);
}

TEST(PiiRules, MatchesWhatIsNotAllowedWithItsConfidence) {
  const PiiRules::Found found{.prompt = {entity(pii::Type::kPerson)}, .names_seen = true};
  const auto value = rules().evaluate(0, found);
  EXPECT_EQ(value.state, SignalState::kMatch);
  EXPECT_FLOAT_EQ(value.confidence, 0.9F);
  EXPECT_EQ(rules().evaluate(1, found).state, SignalState::kNoMatch) << "PERSON is allowed";
  EXPECT_EQ(rules().evaluate(2, found).state, SignalState::kNoMatch) << "below the threshold";
}

TEST(PiiRules, WithoutTheEncoderAFindingOfTheRulesStillHoldsAndNothingFoundFails) {
  const PiiRules::Found card{.prompt = {entity(pii::Type::kCreditCard)}};
  EXPECT_EQ(rules().evaluate(0, card).state, SignalState::kMatch);
  EXPECT_EQ(rules().evaluate(0, {}).state, SignalState::kFailed);
}

TEST(PiiRules, EarlierMessagesCountOnlyWhereTheRuleSaysSo) {
  const PiiRules::Found found{.history = {entity(pii::Type::kEmailAddress)},
                              .names_seen = true,
                              .history_names_seen = true};
  EXPECT_EQ(rules().evaluate(0, found).state, SignalState::kNoMatch);
  EXPECT_EQ(rules().evaluate(3, found).state, SignalState::kMatch);
}

TEST(PiiRules, HistoryIsEverythingButTheLastUserMessage) {
  exchange::Request request;
  request.messages = {{.role = "system", .text = "be kind"},
                      {.role = "user", .text = "I am Ann"},
                      {.role = "assistant", .text = "hello Ann"},
                      {.role = "user", .text = "thanks"}};
  EXPECT_EQ(history_text(request), "be kind\nI am Ann\nhello Ann\n");
}

TEST(PiiRules, OfALongHistoryTheLatestPartCounts) {
  exchange::Request request;
  const std::string early(limits::kPiiHistoryBytesMax, 'x');
  request.messages = {{.role = "user", .text = early},
                      {.role = "assistant", .text = "the end"},
                      {.role = "user", .text = "thanks"}};
  const std::string text = history_text(request);
  EXPECT_LE(text.size(), limits::kPiiHistoryBytesMax);
  EXPECT_TRUE(text.ends_with("the end\n"));
}

}  // namespace
}  // namespace signalbox::signals
