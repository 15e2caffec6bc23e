#include "encoder/encoder.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <fstream>
#include <numeric>

#include "base/limits.h"
#include "encoder/testing.h"
#include "json/document.h"

namespace signalbox::encoder {
namespace {

std::unique_ptr<Encoder> tiny() {
  auto loaded = Encoder::load(testing::tiny_directory(), "/nonexistent");
  EXPECT_TRUE(loaded) << loaded.error().message;
  return std::move(*loaded);
}

double length(const std::vector<float>& v) {
  return std::sqrt(std::inner_product(v.begin(), v.end(), v.begin(), 0.0));
}

TEST(Encoder, AnEmbeddingHasLengthOne) {
  const auto encoder = tiny();
  Workspace workspace;
  const auto analysis = encoder->analyze("the points move", Demand::kEmbedding, workspace);
  ASSERT_FALSE(analysis.failed());
  EXPECT_EQ(analysis.embedding.size(), static_cast<std::size_t>(encoder->dimension()));
  EXPECT_NEAR(length(analysis.embedding), 1, 1e-5);
  EXPECT_EQ(analysis.tokens_seen, 3);
  EXPECT_EQ(analysis.tokens_total, 3);
  EXPECT_EQ(analysis.passes, 1);
  EXPECT_TRUE(analysis.of(Task::kDomain).empty());
}

TEST(Encoder, ATaskWithoutAHeadComesBackEmptyBesideTheOthers) {
  const auto encoder = tiny();
  Workspace workspace;
  EXPECT_FALSE(encoder->has_domain());
  const auto analysis = encoder->analyze("x", Demand::kDomain | Demand::kEmbedding, workspace);
  ASSERT_FALSE(analysis.failed());
  EXPECT_TRUE(analysis.of(Task::kDomain).empty());
  EXPECT_FALSE(analysis.embedding.empty());
}

TEST(Encoder, ASafetyTaskSeesEveryTokenOfATextThatOthersSample) {
  const auto encoder = tiny();
  Workspace workspace;
  std::string text;
  for (int i = 0; i < 1000; ++i) text += "the ";
  const auto analysis =
      encoder->analyze(text, demand_of(Task::kJailbreak) | Demand::kEmbedding, workspace);
  EXPECT_EQ(analysis.tokens_seen, 1000);
  EXPECT_GT(analysis.passes, static_cast<int>(limits::kEncoderWindowsMax));
}

TEST(Task, EveryTaskHasANameOfItsOwnThatLeadsBackToIt) {
  for (const Task task : kTasks) EXPECT_EQ(task_named(task_name(task)), task);
  EXPECT_FALSE(task_named("weather"));
}

TEST(Demand, TasksAreToldApart) {
  for (const Task one : kTasks) {
    for (const Task other : kTasks) EXPECT_EQ(demands(demand_of(one), other), one == other);
    EXPECT_FALSE(demands(demand_of(one), Demand::kEmbedding));
    EXPECT_FALSE(demands(demand_of(one), Demand::kPii));
  }
}

TEST(Encoder, ALongTextIsSeenInWindowsAndSaysSo) {
  const auto encoder = tiny();  // 40 positions, so 38 tokens a pass
  Workspace workspace;
  std::string text;
  for (int i = 0; i < 1000; ++i) text += "the ";
  const auto analysis = encoder->analyze(text, Demand::kEmbedding, workspace);
  EXPECT_EQ(analysis.tokens_total, 1000);
  EXPECT_EQ(analysis.passes, static_cast<int>(limits::kEncoderWindowsMax));
  EXPECT_EQ(analysis.tokens_seen, 38 * static_cast<int>(limits::kEncoderWindowsMax));
  EXPECT_NEAR(length(analysis.embedding), 1, 1e-5);
}

TEST(Encoder, TheTailOfALongTextCounts) {
  const auto encoder = tiny();
  Workspace workspace;
  std::string text;
  for (int i = 0; i < 500; ++i) text += "the ";
  const auto before = encoder->analyze(text, Demand::kEmbedding, workspace).embedding;
  EXPECT_NE(encoder->analyze(text + "signal points train", Demand::kEmbedding, workspace).embedding,
            before);
}

TEST(Encoder, AHugeTextIsBoundedAndItsTokensAreEstimated) {
  const auto encoder = tiny();
  Workspace workspace;
  std::string text;
  while (text.size() < 3 * limits::kTokenizeBytesMax) text += "the ";
  const auto analysis = encoder->analyze(text, Demand::kEmbedding, workspace);
  EXPECT_NEAR(analysis.tokens_total, static_cast<double>(text.size()) / 4, 4);
  EXPECT_LE(analysis.passes, static_cast<int>(limits::kEncoderWindowsMax));
}

TEST(Encoder, MissingFilesAreAnIoErrorThatNamesThem) {
  const auto loaded = Encoder::load("/nonexistent", "/nonexistent");
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code, Code::kIo);
  EXPECT_NE(loaded.error().message.find("/nonexistent"), std::string::npos);
}

TEST(Encoder, AVocabularyLargerThanTheModelIsCorrupt) {
  const std::string folder = ::testing::TempDir() + "encoder_vocabulary";
  std::filesystem::create_directories(folder);
  std::filesystem::copy(
      testing::tiny_directory(), folder,
      std::filesystem::copy_options::overwrite_existing | std::filesystem::copy_options::recursive);
  std::ofstream(folder + "/vocab.txt", std::ios::app) << "extra\nmore\n";
  const auto loaded = Encoder::load(folder, "/nonexistent");
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code, Code::kCorrupt);
}

RC_GTEST_PROP(Encoder, AnyBytesGiveAFiniteEmbeddingOfLengthOne, (const std::string& text)) {
  static const auto encoder = tiny();
  Workspace workspace;
  const auto analysis = encoder->analyze(text, Demand::kEmbedding, workspace);
  RC_ASSERT(!analysis.failed());
  RC_ASSERT(std::abs(length(analysis.embedding) - 1) < 1e-4);
  RC_ASSERT(analysis.tokens_seen <= analysis.tokens_total);
}

class ShippedEncoder : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto directories = locate();
    auto loaded = Encoder::load(directories.base, directories.models);
    ASSERT_TRUE(loaded) << testing::missing_base(directories.base) << ": "
                        << loaded.error().message;
    encoder_ = std::move(*loaded);
  }
  std::unique_ptr<Encoder> encoder_;
  Workspace workspace_;
};

TEST_F(ShippedEncoder, EmbeddingsEqualTheReferenceLibraryWithinOneTenThousandth) {
  auto exact = Encoder::load(locate().base, locate().models, tensor::Precision::kF32);
  ASSERT_TRUE(exact);
  encoder_ = std::move(*exact);
  std::ifstream fixture(testing::golden_directory() + "/base.jsonl");
  int rows = 0;
  for (std::string line; std::getline(fixture, line); ++rows) {
    const auto document = json::Document::parse(line);
    const auto text = (*document->root().find("text"))->string();
    const auto analysis = encoder_->analyze(text, Demand::kEmbedding, workspace_);
    EXPECT_EQ(analysis.tokens_total, (*document->root().find("tokens"))->integer());
    const auto wanted = (*document->root().find("embedding"))->elements();
    ASSERT_EQ(analysis.embedding.size(), wanted.size());
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      ASSERT_NEAR(analysis.embedding[i], *wanted[i].number(), 1e-4)
          << "row " << rows << " at " << i;
    }
  }
  EXPECT_EQ(rows, 14);
}

TEST_F(ShippedEncoder, RecognisesTheFoundingQuestionAsMathWithConfidence) {
  ASSERT_TRUE(encoder_->has_domain());
  const auto analysis =
      encoder_->analyze("What is the derivative of f(x) = x^3?", Demand::kDomain, workspace_);
  const auto domain = analysis.of(Task::kDomain);
  const Top best = top(domain);
  EXPECT_EQ(Encoder::domain_labels()[static_cast<std::size_t>(best.index)], "math");
  EXPECT_GT(best.probability, 0.8f);
  EXPECT_NEAR(std::accumulate(domain.begin(), domain.end(), 0.0), 1.0, 1e-4);
}

TEST_F(ShippedEncoder, RecognisesAnEverydayQuestionOfEachDomain) {
  const std::pair<const char*, const char*> cases[] = {
      {"business",
       "How should a small bakery set the price of its franchise contracts and marketing budget?"},
      {"law", "Can my landlord evict me without notice if the lease has expired?"},
      {"psychology",
       "Why do people with social anxiety avoid eye contact, and does exposure therapy help?"},
      {"biology", "How do ribosomes translate messenger RNA into proteins?"},
      {"chemistry", "Balance the reaction of potassium permanganate with hydrochloric acid."},
      {"history", "Why did the Western Roman Empire fall in the fifth century?"},
      {"health", "What are the early symptoms of type 2 diabetes and when should I see a doctor?"},
      {"economics", "How does raising the central bank's interest rate reduce inflation?"},
      {"math", "Solve the quadratic equation 2x^2 - 5x + 3 = 0."},
      {"physics", "Why does time slow down near a black hole according to general relativity?"},
      {"computer science", "Write a Python function that reverses a linked list in place."},
      {"philosophy", "What did Kant mean by the categorical imperative?"},
      {"engineering",
       "How do I size the steel beam and bolts for a pedestrian bridge under wind load?"},
      {"other", "Can you suggest a fun birthday party theme for a six year old?"}};
  ASSERT_TRUE(encoder_->has_domain());
  for (const auto& [label, text] : cases) {
    const auto analysis = encoder_->analyze(text, Demand::kDomain, workspace_);
    EXPECT_EQ(
        Encoder::domain_labels()[static_cast<std::size_t>(top(analysis.of(Task::kDomain)).index)],
        label)
        << text;
  }
}

}  // namespace
}  // namespace signalbox::encoder
