#include "encoder/domain_head.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "encoder/testing.h"

namespace signalbox::encoder {
namespace {

using testing::bytes_of;
using testing::SafetensorsBuilder;
using testing::write_file;

constexpr std::size_t kHidden = 4, kLayers = 1;
constexpr std::size_t kMath = 8, kLaw = 1;

std::string label_list() {
  std::string out;
  for (const auto label : domain_label_names())
    out += (out.empty() ? "\"" : ",\"") + std::string(label) + "\"";
  return "[" + out + "]";
}

std::string meta(const std::string& weight, const std::string& temperature = "1",
                 const std::string& print = "f00d", const std::string& states = "[0,1]") {
  return "{\"version\":\"7\",\"base_fingerprint\":\"" + print + "\",\"labels\":" + label_list() +
         ",\"states\":" + states + ",\"temperature\":" + temperature +
         ",\"neighbours\":{\"nearest\":2,\"sharpness\":10,\"weight\":" + weight + "}}";
}

// A linear head that says math for input 0 of the last state, and two neighbours that say law along
// input 1.
SafetensorsBuilder tensors() {
  std::vector<float> weights(14 * 2 * kHidden, 0.0f);
  weights[kMath * 2 * kHidden + kHidden] = 5;
  std::string keys;
  for (int i = 0; i < 2; ++i) keys += std::string("\x00\x7F\x00\x00", 4);
  SafetensorsBuilder builder;
  builder.add("dense.0.weight", "F32", "[14,8]", bytes_of(weights))
      .add("dense.0.bias", "F32", "[14]", bytes_of(std::vector<float>(14, 0.0f)))
      .add("neighbours.keys", "I8", "[2,4]", keys)
      .add("neighbours.scales", "F32", "[2]", bytes_of({1 / 127.0f, 1 / 127.0f}))
      .add("neighbours.labels", "U8", "[2]", std::string(2, static_cast<char>(kLaw)));
  return builder;
}

Result<DomainHead> load(const std::string& meta_json, const std::string& head,
                        const std::string& name) {
  const std::string folder = ::testing::TempDir() + "domain_head_" + name;
  write_file(folder, "meta.json", meta_json);
  write_file(folder, "head.safetensors", head);
  return DomainHead::load(folder, kHidden, kLayers, "f00d", tensor::best_kernels());
}

int best(const std::vector<float>& p) {
  return static_cast<int>(std::max_element(p.begin(), p.end()) - p.begin());
}

TEST(DomainHead, TheNetworkSeesStatesScaledToLengthOne) {
  const auto head = load(meta("0"), tensors().bytes(), "network");
  ASSERT_TRUE(head) << head.error().message;
  const float means[] = {0, 0, 0, 1, 30, 0, 0, 0};
  const auto p = head->classify(means);
  EXPECT_EQ(best(p), static_cast<int>(kMath));
  EXPECT_NEAR(p[kMath], std::exp(5.0) / (std::exp(5.0) + 13), 1e-3);
  EXPECT_NEAR(std::accumulate(p.begin(), p.end(), 0.0), 1.0, 1e-5);
}

TEST(DomainHead, NeighboursVoteWithTheirShare) {
  const auto head = load(meta("0.6"), tensors().bytes(), "neighbours");
  ASSERT_TRUE(head) << head.error().message;
  const float means[] = {0, 0, 0, 1, 0, 2, 0, 0};
  const auto p = head->classify(means);
  EXPECT_EQ(best(p), static_cast<int>(kLaw));
  EXPECT_NEAR(p[kLaw], 0.6 + 0.4 / 14, 1e-3);
}

TEST(DomainHead, AHigherTemperatureFlattensWithoutChangingTheLabel) {
  const float means[] = {0, 0, 0, 1, 30, 0, 0, 0};
  const auto sharp = load(meta("0", "1"), tensors().bytes(), "sharp")->classify(means);
  const auto flat = load(meta("0", "4"), tensors().bytes(), "flat")->classify(means);
  EXPECT_EQ(best(sharp), best(flat));
  EXPECT_LT(flat[kMath], sharp[kMath]);
}

TEST(DomainHead, AHeadOfOtherWeightsIsRefused) {
  const auto head = load(meta("0", "1", "beef"), tensors().bytes(), "other");
  ASSERT_FALSE(head);
  EXPECT_EQ(head.error().code, Code::kCorrupt);
}

TEST(DomainHead, DamagedFilesAreCorrupt) {
  EXPECT_FALSE(load(meta("0", "0"), tensors().bytes(), "t0"));
  EXPECT_FALSE(load(meta("2"), tensors().bytes(), "w2"));
  EXPECT_FALSE(load(meta("0", "1", "f00d", "[0,2]"), tensors().bytes(), "state"));
  EXPECT_FALSE(load(meta("0", "1", "f00d", "[0]"), tensors().bytes(), "inputs"));
  EXPECT_FALSE(load("{}", tensors().bytes(), "empty"));
  EXPECT_FALSE(load(meta("0"), tensors().bytes().substr(0, 100), "cut"));
  EXPECT_FALSE(load(meta("0.5"), SafetensorsBuilder().bytes(), "none"));
}

TEST(DomainHead, ALabelOutsideTheListIsCorrupt) {
  auto bytes = tensors().bytes();
  bytes.back() = 14;
  EXPECT_FALSE(load(meta("0.5"), bytes, "label"));
}

}  // namespace
}  // namespace signalbox::encoder
