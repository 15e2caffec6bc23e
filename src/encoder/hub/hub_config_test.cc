#include "encoder/hub/hub_config.h"

#include <gtest/gtest.h>

namespace signalbox::encoder {
namespace {

// A configuration with a few members more.
std::string with(const std::string& type, const std::string& members) {
  return R"({"model_type":")" + type +
         R"(","num_hidden_layers":4,"hidden_size":8,"num_attention_heads":2,"intermediate_size":8,)"
         R"("max_position_embeddings":16,"vocab_size":9)" +
         members + "}";
}

Error error_of(const std::string& json) {
  const auto config = HubConfig::parse(json);
  EXPECT_FALSE(config) << json;
  return config ? Error{} : config.error();
}

TEST(HubConfig, TheClassNamedDecidesTheTask) {
  const auto sequence =
      HubConfig::parse(with("bert", R"(,"architectures":["BertForSequenceClassification"])"));
  ASSERT_TRUE(sequence) << sequence.error().message;
  EXPECT_EQ(sequence->head_kind, HeadKind::kSequence);
  const auto tokens = HubConfig::parse(
      with("modernbert", R"(,"architectures":["ModernBertForTokenClassification"])"));
  ASSERT_TRUE(tokens) << tokens.error().message;
  EXPECT_EQ(tokens->head_kind, HeadKind::kTokens);
  EXPECT_EQ(HubConfig::parse(with("bert", R"(,"architectures":["BertModel"])"))->head_kind,
            HeadKind::kNone);
}

TEST(HubConfig, EveryThirdLayerOfModernBertIsGlobal) {
  const auto config = HubConfig::parse(with("modernbert", R"(,"local_attention":6)"));
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->local, (std::vector<bool>{false, true, true, false}));
  EXPECT_EQ(config->window, 3u);
}

TEST(HubConfig, NewerFilesNameEachLayerAndItsRotation) {
  const auto config = HubConfig::parse(with(
      "modernbert",
      R"(,"layer_types":["sliding_attention","full_attention","full_attention","sliding_attention"],)"
      R"("rope_parameters":{"full_attention":{"rope_theta":5000,"rope_type":"default"},)"
      R"("sliding_attention":{"rope_theta":700,"rope_type":"default"}})"));
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->local, (std::vector<bool>{true, false, false, true}));
  EXPECT_FLOAT_EQ(config->rope.theta, 5000);
  EXPECT_FLOAT_EQ(config->local_rope.theta, 700);
}

TEST(HubConfig, LabelsAreInTheOrderOfTheirIds) {
  const auto config = HubConfig::parse(with("bert", R"(,"id2label":{"1":"math","0":"law"})"));
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->labels, (std::vector<std::string>{"law", "math"}));
  EXPECT_EQ(error_of(with("bert", R"(,"id2label":{"1":"math","2":"law"})")).code, Code::kCorrupt);
  EXPECT_EQ(error_of(with("bert", R"(,"id2label":{"0":"a","0":"b"})")).code, Code::kCorrupt);
}

TEST(HubConfig, WhatIsNotSupportedIsNamed) {
  const auto type = error_of(with("t5", ""));
  EXPECT_EQ(type.code, Code::kUnsupported);
  EXPECT_NE(type.message.find("t5"), std::string::npos) << type.message;
  for (const auto& [json, key] : std::vector<std::pair<std::string, std::string>>{
           {with("bert", R"(,"hidden_act":"relu")"), "hidden_act"},
           {with("bert", R"(,"position_embedding_type":"relative_key")"),
            "position_embedding_type"},
           {with("modernbert", R"(,"hidden_activation":"silu")"), "hidden_activation"},
           {with("qwen3", R"(,"rope_scaling":{"rope_type":"dynamic","factor":2})"), "rope_scaling"},
           {with("bert", R"(,"problem_type":"regression")"), "problem_type"}}) {
    const auto error = error_of(json);
    EXPECT_EQ(error.code, Code::kUnsupported) << json;
    EXPECT_EQ(error.param, key) << json;
  }
}

TEST(HubConfig, AbsurdNumbersAreCorrupt) {
  EXPECT_EQ(error_of("nonsense").code, Code::kCorrupt);
  EXPECT_EQ(error_of("[]").code, Code::kCorrupt);
  EXPECT_EQ(error_of(R"({"model_type":"bert"})").code, Code::kCorrupt);
  EXPECT_EQ(error_of(with("qwen3", R"(,"num_key_value_heads":3)")).code, Code::kCorrupt);
  EXPECT_EQ(error_of(with("qwen3", R"(,"head_dim":7)")).code, Code::kCorrupt);
  EXPECT_EQ(error_of(with("qwen3", R"(,"head_dim":-1)")).code, Code::kCorrupt);
  EXPECT_EQ(error_of(with("modernbert", R"(,"norm_eps":"small")")).code, Code::kCorrupt);
  EXPECT_EQ(error_of(with("modernbert", R"(,"layer_types":["full_attention"])")).code,
            Code::kCorrupt);
}

}  // namespace
}  // namespace signalbox::encoder
