#include "encoder/bert.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <thread>

#include "base/file.h"
#include "base/limits.h"
#include "base/random.h"
#include "encoder/locate.h"
#include "encoder/testing.h"
#include "json/document.h"
#include "tokenize/wordpiece.h"

namespace signalbox::encoder {
namespace {

Result<BertConfig> config_of(const std::string& directory) {
  SBX_TRY(const auto text, read_file(directory + "/config.json", limits::kModelMetadataBytesMax));
  return BertConfig::parse(text);
}

// The reference library's hidden states of a random model with odd shapes (44 wide, heads of 11)
// and mixed dtypes.
TEST(Bert, HiddenStatesEqualTheReferenceLibraryOnEveryKernelTable) {
  const auto config = config_of(testing::tiny_directory());
  ASSERT_TRUE(config) << config.error().message;
  for (const tensor::Kernels* kernels : tensor::runnable_kernels()) {
    const auto bert =
        Bert::load(testing::tiny_directory() + "/model.safetensors", *config, {.kernels = kernels});
    ASSERT_TRUE(bert) << bert.error().message;
    BertScratch scratch;
    std::ifstream fixture(testing::golden_directory() + "/tiny.jsonl");
    int rows = 0;
    for (std::string line; std::getline(fixture, line); ++rows) {
      const auto document = json::Document::parse(line);
      std::vector<std::int32_t> ids;
      for (const auto id : (*document->root().find("ids"))->elements()) {
        ids.push_back(static_cast<std::int32_t>(*id.integer()));
      }
      bert->forward(ids, scratch);
      std::size_t at = 0;
      for (const auto state : (*document->root().find("means"))->elements()) {
        for (const auto value : state.elements()) {
          ASSERT_NEAR(scratch.means.data()[at], *value.number(), 1e-4)
              << kernels->name << " row " << rows << " " << at;
          ++at;
        }
      }
      ASSERT_EQ(at, (config->layers + 1) * config->hidden);
    }
    EXPECT_EQ(rows, 7);
  }
}

TEST(Bert, AWorkspaceUsedForALongTextGivesTheSameForAShortOne) {
  const auto config = config_of(testing::tiny_directory());
  const auto bert = Bert::load(testing::tiny_directory() + "/model.safetensors", *config);
  const std::vector<std::int32_t> shorter{2, 5, 6, 3}, longer(40, 7);
  BertScratch fresh, used;
  bert->forward(shorter, fresh);
  bert->forward(longer, used);
  bert->forward(shorter, used);
  for (std::size_t i = 0; i < 3 * config->hidden; ++i)
    ASSERT_EQ(fresh.means.data()[i], used.means.data()[i]);
}

// Cosine of the means of each hidden state in `format` with those in fp32, at worst.
double worst_cosine(const std::string& directory, const std::vector<std::int32_t>& ids,
                    const tensor::Format& format) {
  const auto config = config_of(directory);
  const auto exact = Bert::load(directory + "/model.safetensors", *config);
  const auto rounded = Bert::load(directory + "/model.safetensors", *config, format);
  BertScratch a, b;
  exact->forward(ids, a);
  rounded->forward(ids, b);
  double worst = 1;
  for (std::size_t state = 0; state <= config->layers; ++state) {
    double aa = 0, bb = 0, ab = 0;
    for (std::size_t i = state * config->hidden; i < (state + 1) * config->hidden; ++i) {
      const double x = static_cast<double>(a.means.data()[i]);
      const double y = static_cast<double>(b.means.data()[i]);
      aa += x * x, bb += y * y, ab += x * y;
    }
    worst = std::min(worst, ab / std::sqrt(aa * bb));
  }
  return worst;
}

std::vector<std::int32_t> some_ids(std::size_t count, std::int32_t vocabulary) {
  Random random(count);
  std::vector<std::int32_t> ids(count);
  for (auto& id : ids)
    id = static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(vocabulary)));
  return ids;
}

TEST(Bert, Int8AndBf16StayCloseToFp32OnEveryKernelTable) {
  for (const tensor::DotKernels* dot : tensor::runnable_dot_kernels()) {
    for (const std::size_t tokens : {1, 2, 9, 40}) {
      const auto ids = some_ids(tokens, 24);
      EXPECT_GT(worst_cosine(testing::tiny_directory(), ids,
                             {.precision = tensor::Precision::kInt8, .dot = dot}),
                0.9985)
          << dot->name << " " << tokens;
      if (!dot->has_bf16()) continue;
      EXPECT_GT(worst_cosine(testing::tiny_directory(), ids,
                             {.precision = tensor::Precision::kBf16, .dot = dot}),
                0.9998)
          << dot->name << " " << tokens;
    }
  }
}

// Prose, because random words are further from what the weights were trained on than from one
// another. Measured: 0.9989 and 0.99999.
TEST(Bert, TheShippedBaseStaysCloseToFp32InInt8AndBf16) {
  const std::string directory = locate().base;
  ASSERT_TRUE(config_of(directory)) << testing::missing_base(directory);
  const auto tokenizer = tokenize::WordPiece::load(directory);
  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  std::vector<std::int32_t> ids{tokenizer->cls()};
  tokenizer->tokenize(
      "A farmer has a rectangular field whose length is three times its width and whose perimeter "
      "is four hundred metres. He wants to divide it into two equal parts by a fence that runs "
      "parallel to the shorter side. How many metres of fence does he need, and what is the area "
      "of each part in square metres?",
      ids);
  ids.push_back(tokenizer->sep());
  const double int8 = worst_cosine(directory, ids, {.precision = tensor::Precision::kInt8});
  EXPECT_GT(int8, 0.998);
  if (!tensor::best_dot_kernels().has_bf16()) return;  // another processor
  EXPECT_GT(worst_cosine(directory, ids, {.precision = tensor::Precision::kBf16}), 0.9999);
}

// Threads of a crew of fixed size, started for each run.
class FixedCrew : public tensor::Crew {
 public:
  explicit FixedCrew(std::size_t size) : size_(size) {}
  std::size_t size_max() const override { return size_; }
  void run(const std::function<void(const tensor::Member&)>& work) override {
    tensor::Barrier barrier(size_, 0);
    std::vector<std::thread> others;
    for (std::size_t rank = 1; rank < size_; ++rank)
      others.emplace_back([&, rank] { work({rank, size_, &barrier}); });
    work({0, size_, &barrier});
    for (auto& thread : others) thread.join();
  }

 private:
  std::size_t size_;
};

TEST(Bert, TheSizeOfTheCrewDoesNotChangeTheResult) {
  const auto config = config_of(testing::tiny_directory());
  for (const auto precision : {tensor::Precision::kF32, tensor::Precision::kInt8}) {
    const auto bert = Bert::load(testing::tiny_directory() + "/model.safetensors", *config,
                                 {.precision = precision});
    for (const std::size_t tokens : {32, 33, 40}) {
      const auto ids = some_ids(tokens, 24);
      BertScratch alone;
      bert->forward(ids, alone);
      for (const std::size_t size : {2, 3, 7}) {
        FixedCrew crew(size);
        BertScratch together;
        together.crew = &crew;
        bert->forward(ids, together);
        for (std::size_t i = 0; i < tokens * config->hidden; ++i)
          ASSERT_EQ(together.hidden.data()[i], alone.hidden.data()[i]) << size << " at " << i;
        for (std::size_t i = 0; i < 3 * config->hidden; ++i)
          ASSERT_EQ(together.means.data()[i], alone.means.data()[i]) << size << " at " << i;
      }
    }
  }
}

TEST(Bert, ScratchCanGoFromOneModelAndPrecisionToAnother) {
  const auto config = config_of(testing::tiny_directory());
  const std::string path = testing::tiny_directory() + "/model.safetensors";
  const auto ids = some_ids(21, 24);
  BertScratch used;
  for (const auto precision :
       {tensor::Precision::kInt8, tensor::Precision::kF32, tensor::Precision::kInt8}) {
    const auto bert = Bert::load(path, *config, {.precision = precision});
    BertScratch fresh;
    bert->forward(ids, fresh);
    bert->forward(ids, used);
    for (std::size_t i = 0; i < 3 * config->hidden; ++i)
      ASSERT_EQ(fresh.means.data()[i], used.means.data()[i]);
  }
}

TEST(BertConfig, OtherArchitecturesAreUnsupportedAndNamed) {
  const auto config = BertConfig::parse(R"({"model_type":"roberta"})");
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().code, Code::kUnsupported);
  EXPECT_EQ(config.error().param, "model_type");
}

TEST(BertConfig, AbsurdNumbersAreCorrupt) {
  const auto with = [](const std::string& hidden, const std::string& heads) {
    return BertConfig::parse(
        R"({"num_hidden_layers":1,"intermediate_size":8,"max_position_embeddings":8,"vocab_size":8,)"
        R"("type_vocab_size":1,"hidden_size":)" +
        hidden + ",\"num_attention_heads\":" + heads + "}");
  };
  EXPECT_TRUE(with("8", "2"));
  EXPECT_FALSE(with("8", "3"));
  EXPECT_FALSE(with("0", "1"));
  EXPECT_FALSE(with("-8", "2"));
  EXPECT_FALSE(with("99999999999", "2"));
  EXPECT_FALSE(with("8.5", "2"));
  EXPECT_FALSE(BertConfig::parse("{}"));
  EXPECT_FALSE(BertConfig::parse("nonsense"));
}

TEST(Bert, AFileOfAnotherShapeIsCorrupt) {
  auto config = config_of(testing::tiny_directory());
  config->layers = 3;
  const auto bert = Bert::load(testing::tiny_directory() + "/model.safetensors", *config);
  ASSERT_FALSE(bert);
  EXPECT_EQ(bert.error().code, Code::kCorrupt);
  EXPECT_NE(bert.error().message.find("layer.2"), std::string::npos) << bert.error().message;
}

}  // namespace
}  // namespace signalbox::encoder
