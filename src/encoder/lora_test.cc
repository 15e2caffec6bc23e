#include "encoder/lora.h"

#include <gtest/gtest.h>

#include "encoder/hub/model_weights.h"
#include "encoder/testing.h"

namespace signalbox::encoder {
namespace {

using testing::bytes_of;
using testing::SafetensorsBuilder;

constexpr const char* kConfig =
    R"({"peft_type":"LORA","r":1,"lora_alpha":2,"task_type":"SEQ_CLS"})";

std::span<const std::byte> as_bytes(const std::string& text) {
  return std::as_bytes(std::span(text));
}

// The update 2 * (1, 10)^T (3, 4) of model.layer, which is 0, and a new classifier.
std::string adapter_file() {
  return SafetensorsBuilder()
      .add("base_model.model.model.layer.lora_A.weight", "F32", "[1,2]", bytes_of({3, 4}))
      .add("base_model.model.model.layer.lora_B.weight", "F32", "[2,1]", bytes_of({1, 10}))
      .add("base_model.model.classifier.weight", "F32", "[1,2]", bytes_of({7, 8}))
      .bytes();
}

std::string base_file() {
  return SafetensorsBuilder()
      .add("model.layer.weight", "F32", "[2,2]", bytes_of({0, 0, 0, 0.5f}))
      .add("classifier.weight", "F32", "[3,2]", bytes_of({0, 0, 0, 0, 0, 0}))
      .bytes();
}

Error error_of(const std::string& config, const std::string& file) {
  const auto adapter = LoraAdapter::parse(config, as_bytes(file));
  EXPECT_FALSE(adapter) << config;
  return adapter ? Error{} : adapter.error();
}

TEST(Lora, TheUpdateIsAddedWithItsScale) {
  const std::string base = base_file(), file = adapter_file();
  auto weights = ModelWeights::parse(as_bytes(base));
  ASSERT_TRUE(weights) << weights.error().message;
  auto adapter = LoraAdapter::parse(kConfig, as_bytes(file));
  ASSERT_TRUE(adapter) << adapter.error().message;
  EXPECT_EQ(adapter->task_type(), "SEQ_CLS");
  ASSERT_TRUE(weights->merge(std::move(*adapter)));
  const auto matrix = weights->matrix("layer", 2, 2);
  ASSERT_TRUE(matrix) << matrix.error().message;
  std::vector<float> row(2);
  ASSERT_TRUE(matrix->read(0, row));
  EXPECT_EQ(row, (std::vector<float>{6, 8}));
  ASSERT_TRUE(matrix->read(1, row));
  EXPECT_EQ(row, (std::vector<float>{60, 80.5f}));
}

TEST(Lora, AModuleThatWasTrainedWholeReplacesTheBases) {
  const std::string base = base_file(), file = adapter_file();
  auto weights = ModelWeights::parse(as_bytes(base));
  ASSERT_TRUE(weights->merge(std::move(*LoraAdapter::parse(kConfig, as_bytes(file)))));
  EXPECT_EQ(weights->shape("classifier.weight"), (std::vector<std::uint64_t>{1, 2}));
}

TEST(Lora, AnUpdateOfAModuleThatTheModelLacksIsCorruptAndNamed) {
  const std::string base = SafetensorsBuilder().add("other", "F32", "[1]", bytes_of({0})).bytes();
  const std::string file = adapter_file();
  auto weights = ModelWeights::parse(as_bytes(base));
  const auto merged = weights->merge(std::move(*LoraAdapter::parse(kConfig, as_bytes(file))));
  ASSERT_FALSE(merged);
  EXPECT_EQ(merged.error().code, Code::kCorrupt);
  EXPECT_NE(merged.error().message.find("layer"), std::string::npos) << merged.error().message;
}

TEST(Lora, AnUpdateOfAnotherShapeIsCorrupt) {
  const std::string base =
      SafetensorsBuilder().add("model.layer.weight", "F32", "[2,1]", bytes_of({0, 0})).bytes();
  const std::string file = adapter_file();
  auto weights = ModelWeights::parse(as_bytes(base));
  const auto merged = weights->merge(std::move(*LoraAdapter::parse(kConfig, as_bytes(file))));
  ASSERT_FALSE(merged);
  EXPECT_EQ(merged.error().code, Code::kCorrupt);
}

TEST(Lora, HalfAnUpdateAndAnotherRankAreCorrupt) {
  const std::string half =
      SafetensorsBuilder().add("m.lora_A.weight", "F32", "[1,2]", bytes_of({3, 4})).bytes();
  EXPECT_EQ(error_of(kConfig, half).code, Code::kCorrupt);
  const std::string rank =
      SafetensorsBuilder().add("m.lora_A.weight", "F32", "[2,1]", bytes_of({3, 4})).bytes();
  EXPECT_EQ(error_of(kConfig, rank).code, Code::kCorrupt);
}

TEST(Lora, OtherKindsOfAdaptersAreUnsupportedAndNamed) {
  const std::string file = adapter_file();
  const auto kind = error_of(R"({"peft_type":"IA3"})", file);
  EXPECT_EQ(kind.code, Code::kUnsupported);
  EXPECT_NE(kind.message.find("IA3"), std::string::npos);
  const auto dora = error_of(R"({"peft_type":"LORA","r":1,"lora_alpha":2,"use_dora":true})", file);
  EXPECT_EQ(dora.code, Code::kUnsupported);
  EXPECT_EQ(dora.param, "use_dora");
  EXPECT_EQ(
      error_of(R"({"peft_type":"LORA","r":1,"lora_alpha":2,"rank_pattern":{"a":2}})", file).code,
      Code::kUnsupported);
}

TEST(Lora, AbsurdNumbersAreCorrupt) {
  const std::string file = adapter_file();
  EXPECT_EQ(error_of("{}", file).code, Code::kCorrupt);
  EXPECT_EQ(error_of(R"({"peft_type":"LORA","r":0,"lora_alpha":2})", file).code, Code::kCorrupt);
  EXPECT_EQ(error_of(R"({"peft_type":"LORA","r":1,"lora_alpha":1e300})", file).code,
            Code::kCorrupt);
}

}  // namespace
}  // namespace signalbox::encoder
