#include "encoder/bert.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "base/file.h"
#include "base/limits.h"
#include "encoder/testing.h"
#include "json/document.h"

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
        Bert::load(testing::tiny_directory() + "/model.safetensors", *config, *kernels);
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
