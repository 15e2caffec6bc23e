#include "signals/evaluator.h"

#include <gtest/gtest.h>

#include <thread>

#include "net/testing/manual_loop.h"

namespace signalbox::signals {
namespace {

using exchange::LeafKind;
using exchange::Rung;
using exchange::SignalState;

exchange::Leaf leaf(LeafKind kind, std::string name) {
  return {.kind = kind, .type = std::string(exchange::leaf_type(kind)), .name = std::move(name)};
}

// Everything is passed in and lives in the test: the coroutine owns nothing.
net::Task<void> evaluate_and_stop(const Evaluator& evaluator, std::span<const std::uint32_t> leaves,
                                  Inputs inputs, std::span<exchange::SignalValue> values,
                                  exchange::Signals& out, Encoding encoding) {
  co_await evaluator.evaluate_encoder(leaves, inputs, values, out, encoding);
  encoding.loop.stop();
}

class EvaluatorTest : public ::testing::Test {
 protected:
  void SetUp() override {
    config::KeywordRule thinking;
    thinking.name = "thinking";
    thinking.keywords = {"urgent", "think"};
    signals.keywords = {thinking};
    signals.domains = {{.name = "math"}, {.name = "other"}};
    signals.contexts = {{.name = "short", .max_tokens = 100}};
    config::EmbeddingRule support;
    support.name = "support";
    support.threshold = 0.99;
    support.candidates = {"reset my password"};
    signals.embeddings = {support};
    leaves = {leaf(LeafKind::kKeyword, "thinking"),  leaf(LeafKind::kDomain, "math"),
              leaf(LeafKind::kDomain, "other"),      leaf(LeafKind::kContext, "short"),
              leaf(LeafKind::kEmbedding, "support"), leaf(LeafKind::kUnsupported, "jailbreak"),
              leaf(LeafKind::kLanguage, "en")};
    values.resize(leaves.size());
    for (std::uint32_t i = 0; i < leaves.size(); ++i) all.push_back(i);
  }
  void ask(std::string_view text) { exchange.request.user_text = text; }
  Inputs inputs() const { return {exchange.client, exchange.identity, exchange.request}; }
  std::unique_ptr<Evaluator> create(const Models& models = {}) {
    auto made = Evaluator::create(signals, leaves, models, {});
    EXPECT_TRUE(made) << (made ? "" : made.error().message);
    return *std::move(made);
  }
  std::unique_ptr<encoder::Encoder> tiny_encoder() {
    auto loaded =
        encoder::Encoder::load(SIGNALBOX_SOURCE_DIR "/test/golden/encoder/tiny", "/nonexistent");
    EXPECT_TRUE(loaded) << (loaded ? "" : loaded.error().message);
    return *std::move(loaded);
  }

  config::Signals signals;
  std::vector<exchange::Leaf> leaves;
  std::vector<std::uint32_t> all;
  exchange::Exchange exchange;
  std::vector<exchange::SignalValue> values;
  exchange::Signals out;
};

TEST_F(EvaluatorTest, CheapLeavesAreEvaluatedAndEncoderLeavesLeftAlone) {
  ask("I think so");
  create()->evaluate(all, inputs(), values, out);
  EXPECT_EQ(values[0].state, SignalState::kMatch);
  EXPECT_EQ(values[1].state, SignalState::kNotEvaluated);
  EXPECT_EQ(values[3].state, SignalState::kMatch);
  EXPECT_EQ(values[4].state, SignalState::kNotEvaluated);
  EXPECT_EQ(out.kinds[static_cast<std::size_t>(LeafKind::kKeyword)].leaves, 1U);
}

TEST_F(EvaluatorTest, OnlyDemandedLeavesGetAValue) {
  ask("I think so");
  const std::vector<std::uint32_t> wanted = {3};
  create()->evaluate(wanted, inputs(), values, out);
  EXPECT_EQ(values[0].state, SignalState::kNotEvaluated);
  EXPECT_EQ(values[3].state, SignalState::kMatch);
}

TEST_F(EvaluatorTest, KindsOfLaterReleasesAndMissingModelsFail) {
  ask("I think so");
  create()->evaluate(all, inputs(), values, out);
  EXPECT_EQ(values[5].state, SignalState::kFailed);
  EXPECT_EQ(values[6].state, SignalState::kFailed);
}

TEST_F(EvaluatorTest, WithoutAnEncoderKeywordsGiveTheDomain) {
  ask("What is the derivative of x^3?");
  net_testing::ManualLoop loop;
  const auto evaluator = create();
  loop.run_task(evaluator->evaluate_encoder(all, inputs(), values, out, {.loop = loop}));
  EXPECT_EQ(out.rung, Rung::kKeyword);
  EXPECT_EQ(out.category, "math");
  EXPECT_EQ(values[1].state, SignalState::kMatch);
  EXPECT_EQ(values[2].state, SignalState::kNoMatch);
  EXPECT_EQ(values[4].state, SignalState::kFailed);
  EXPECT_EQ(values[0].state, SignalState::kNotEvaluated);
}

TEST_F(EvaluatorTest, WithoutEncoderAndWithoutATellingWordDomainFails) {
  ask("Tell me a story about a dragon");
  net_testing::ManualLoop loop;
  const auto evaluator = create();
  loop.run_task(evaluator->evaluate_encoder(all, inputs(), values, out, {.loop = loop}));
  EXPECT_EQ(out.rung, Rung::kDefault);
  EXPECT_EQ(values[1].state, SignalState::kFailed);
  EXPECT_TRUE(out.category.empty());
}

TEST_F(EvaluatorTest, AHeaderCanAskForTheCategoryWithoutAnyDomainLeaf) {
  ask("What is the derivative of x^3?");
  net_testing::ManualLoop loop;
  const auto evaluator = create();
  loop.run_task(evaluator->evaluate_encoder({}, inputs(), values, out,
                                            {.loop = loop, .want_category = true}));
  EXPECT_EQ(out.category, "math");
}

TEST_F(EvaluatorTest, APassedDeadlineGoesDownTheLadder) {
  const auto encoder = tiny_encoder();
  const auto evaluator = create({.encoder = encoder.get()});
  ask("What is the derivative of x^3?");
  net_testing::ManualLoop loop;
  encoder::Pool pool(*encoder, 1);
  const Deadline passed = Deadline::at(TimePoint::min());
  loop.run_task(evaluator->evaluate_encoder(all, inputs(), values, out,
                                            {.loop = loop, .pool = &pool, .deadline = passed}));
  EXPECT_EQ(out.rung, Rung::kKeyword);
  EXPECT_EQ(out.encoder_passes, 0U);
  EXPECT_EQ(values[1].state, SignalState::kMatch);
}

TEST_F(EvaluatorTest, OnePassAnswersDomainAndEmbeddingLeavesTogether) {
  const auto encoder = tiny_encoder();
  const auto evaluator = create({.encoder = encoder.get()});
  ask("reset my password");
  const auto demand = evaluator->encoder_demand(all, false);
  encoder::Workspace workspace;
  evaluator->apply(encoder->analyze(exchange.request.user_text, demand, workspace), all, inputs(),
                   values, out);
  EXPECT_EQ(out.encoder_passes, 1U);
  EXPECT_EQ(values[4].state, SignalState::kMatch);  // the candidate itself
  EXPECT_NEAR(values[4].confidence, 1.0F, 1e-3);
  EXPECT_EQ(out.rung, Rung::kEmbedding);  // this base has no domain head
  EXPECT_NE(values[1].state, SignalState::kNotEvaluated);
}

TEST_F(EvaluatorTest, ThePoolsAnswerComesBackToTheLoop) {
  const auto encoder = tiny_encoder();
  const auto evaluator = create({.encoder = encoder.get()});
  ask("reset my password");
  const auto loop = net::make_loop();
  encoder::Pool pool(*encoder, 1);
  net::TaskGroup group(*loop);
  group.spawn(
      evaluate_and_stop(*evaluator, all, inputs(), values, out, {.loop = *loop, .pool = &pool}));
  loop->run();
  EXPECT_EQ(out.encoder_passes, 1U);
  EXPECT_EQ(values[4].state, SignalState::kMatch);
}

TEST_F(EvaluatorTest, EmbeddingAggregationsDiffer) {
  const auto encoder = tiny_encoder();
  signals.embeddings[0].candidates = {"reset my password",
                                      "completely different words about volcanoes"};
  for (const auto& [aggregation, state] :
       {std::pair(config::Aggregation::kMax, SignalState::kMatch),
        {config::Aggregation::kAny, SignalState::kMatch},
        {config::Aggregation::kMean, SignalState::kNoMatch}}) {
    signals.embeddings[0].aggregation = aggregation;
    const auto evaluator = create({.encoder = encoder.get()});
    ask("reset my password");
    encoder::Workspace workspace;
    evaluator->apply(
        encoder->analyze(exchange.request.user_text, encoder::Demand::kEmbedding, workspace), all,
        inputs(), values, out);
    EXPECT_EQ(values[4].state, state);
  }
}

TEST_F(EvaluatorTest, LanguageLeavesCompareWithTheirThreshold) {
  const auto model = LanguageModel::load(SIGNALBOX_SOURCE_DIR "/models");
  ASSERT_TRUE(model);
  signals.languages = {{.name = "zh-CN"}, {.name = "de", .threshold = 1.5}};
  leaves = {leaf(LeafKind::kLanguage, "zh-CN"), leaf(LeafKind::kLanguage, "de"),
            leaf(LeafKind::kLanguage, "en")};
  const std::vector<std::uint32_t> three = {0, 1, 2};
  const auto evaluator = create({.language = &*model});
  ask("什么是导数？");
  evaluator->evaluate(three, inputs(), values, out);
  EXPECT_EQ(out.language, "zh");
  EXPECT_EQ(values[0].state, SignalState::kMatch);
  ask("Das ist ein deutscher Satz, und zwar ein ganz gewöhnlicher.");
  evaluator->evaluate(three, inputs(), values, out);
  EXPECT_EQ(values[1].state, SignalState::kNoMatch);  // out of reach
  EXPECT_EQ(values[2].state, SignalState::kNoMatch);
}

TEST_F(EvaluatorTest, AnUndefinedSignalIsNamed) {
  leaves.push_back(leaf(LeafKind::kKeyword, "missing"));
  const auto made = Evaluator::create(signals, leaves, {}, {});
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, Code::kConfig);
  EXPECT_NE(made.error().message.find("missing"), std::string::npos);
}

TEST_F(EvaluatorTest, ThreadsShareOneEvaluator) {
  ask("I think so");
  const auto evaluator = create();
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([this, &evaluator] {
      for (int round = 0; round < 200; ++round) {
        std::vector<exchange::SignalValue> mine(leaves.size());
        exchange::Signals seen;
        evaluator->evaluate(all, inputs(), mine, seen);
        EXPECT_EQ(mine[0].state, SignalState::kMatch);
      }
    });
  }
  for (auto& thread : threads) thread.join();
}

}  // namespace
}  // namespace signalbox::signals
