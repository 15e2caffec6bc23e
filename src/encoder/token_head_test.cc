#include "encoder/token_head.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "encoder/testing.h"
#include "encoder/word_shape.h"

namespace signalbox::encoder {
namespace {

constexpr std::size_t kHidden = 4, kWidth = 2, kLabels = 5;
constexpr std::size_t kInputs = kHidden + kShapeFeatures;
const TokenBase kBase{.states = 3, .hidden = kHidden, .fingerprint = "abc"};

std::string folder(const std::string& name) {
  return (std::filesystem::temp_directory_path() / ("signalbox_token_head_" + name)).string();
}

std::string meta(const std::string& change = {}, const std::string& to = {}) {
  std::string text =
      R"({"version":"v1","base_fingerprint":"abc","shape_features":)" +
      std::to_string(kShapeFeatures) +
      R"(,"states":[1],"width":2,"convolutions":[[-1,0,1]],)"
      R"("types":[{"name":"PERSON","threshold":0.5},{"name":"GPE","threshold":0.4,"multi_line":true}]})";
  const std::size_t at = change.empty() ? std::string::npos : text.find(change);
  if (at != std::string::npos) text.replace(at, change.size(), to);
  return text;
}

// All weights zero but those of the last layer's bias, so the answer is the bias's softmax.
std::string weights(std::size_t inputs = kInputs) {
  testing::SafetensorsBuilder file;
  const auto add = [&](const std::string& name, std::size_t out, std::size_t in, float bias) {
    file.add(name + ".weight", "F32", "[" + std::to_string(out) + "," + std::to_string(in) + "]",
             testing::bytes_of(std::vector<float>(out * in, 0.0f)));
    std::vector<float> biases(out, 0.0f);
    biases[1 % out] = bias;
    file.add(name + ".bias", "F32", "[" + std::to_string(out) + "]", testing::bytes_of(biases));
  };
  add("first", kWidth, inputs, 0);
  add("convolution.0", kWidth, 3 * kWidth, 0);
  add("last", kLabels, kWidth, 3);
  return file.bytes();
}

Result<TokenHead> load(const std::string& name, const std::string& meta_text,
                       const std::string& weight_bytes, const TokenBase& base = kBase) {
  testing::write_file(folder(name), "meta.json", meta_text);
  testing::write_file(folder(name), "head.safetensors", weight_bytes);
  return TokenHead::load(folder(name), base, tensor::best_kernels());
}

TEST(TokenHead, ClassifiesEachWordIntoProbabilities) {
  const auto head = load("good", meta(), weights());
  ASSERT_TRUE(head) << head.error().message;
  const std::vector<float> inputs(3 * kInputs, 0.5f);
  const auto probabilities = head->classify(inputs.data(), 3);
  ASSERT_EQ(probabilities.size(), 3 * kLabels);
  float sum = 0;
  for (std::size_t i = 0; i < kLabels; ++i) sum += probabilities[i];
  EXPECT_NEAR(sum, 1, 1e-5);
  EXPECT_GT(probabilities[1], 0.8f);
}

TEST(TokenHead, AHeadOfOtherWeightsOrFeaturesIsRefused) {
  EXPECT_EQ(load("base", meta("\"abc\"", "\"xyz\""), weights()).error().code, Code::kCorrupt);
  EXPECT_EQ(
      load("shape", meta("\"shape_features\":", "\"shape_features\":9"), weights()).error().code,
      Code::kCorrupt);
  EXPECT_EQ(load("state", meta("[1]", "[7]"), weights()).error().code, Code::kCorrupt);
  EXPECT_EQ(load("inputs", meta(), weights(kInputs + 1)).error().code, Code::kCorrupt);
  EXPECT_EQ(load("threshold", meta("0.5", "1.5"), weights()).error().code, Code::kCorrupt);
  EXPECT_EQ(load("taps", meta("[-1,0,1]", "[-1,0,9999]"), weights()).error().code, Code::kCorrupt);
  EXPECT_EQ(load("json", "{", weights()).error().code, Code::kCorrupt);
  EXPECT_EQ(TokenHead::load(folder("missing"), kBase, tensor::best_kernels()).error().code,
            Code::kIo);
}

// Probabilities of O, B-PERSON, I-PERSON, B-GPE, I-GPE.
TEST(TokenHead, ARunBeginsWithABeginningAndEndsWithItsType) {
  const auto head = load("runs", meta(), weights());
  ASSERT_TRUE(head);
  const std::vector<float> words{0.1f, 0.8f, 0.05f, 0.05f, 0,      // begins a person
                                 0.1f, 0.1f, 0.75f, 0.05f, 0,      // goes on
                                 0.9f, 0.1f, 0,     0,     0,      //
                                 0.0f, 0.1f, 0.0f,  0.4f,  0.5f};  // a place that nothing began
  const auto runs = head->read(words, std::vector<bool>(4, false));
  ASSERT_EQ(runs.size(), 2u);
  EXPECT_EQ(runs[0].begin, 0u);
  EXPECT_EQ(runs[0].end, 2u);
  EXPECT_NEAR(runs[0].confidence, 0.85f, 0.01f);
  EXPECT_EQ(runs[1].begin, 3u);
  EXPECT_EQ(runs[1].type, 1u);
}

TEST(TokenHead, OnlyAnAddressGoesOnOverALineBreak) {
  const auto head = load("break", meta(), weights());
  ASSERT_TRUE(head);
  const std::vector<float> words{0.1f, 0.8f, 0.05f, 0.05f, 0, 0.05f, 0.15f, 0.8f, 0, 0};
  EXPECT_EQ(head->read(words, {false, false}).size(), 1u);
  EXPECT_EQ(head->read(words, {false, true}).size(), 2u);
  const std::vector<float> place{0.1f, 0.05f, 0.05f, 0.8f, 0, 0.05f, 0, 0, 0.15f, 0.8f};
  EXPECT_EQ(head->read(place, {false, true}).size(), 1u) << "an address has lines";
}

TEST(TokenHead, NoWordsAreNoRuns) {
  const auto head = load("empty", meta(), weights());
  ASSERT_TRUE(head);
  EXPECT_TRUE(head->read({}, {}).empty());
}

}  // namespace
}  // namespace signalbox::encoder
