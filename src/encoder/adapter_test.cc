// Adapters of the top layers: merged at load, run on top of a pass of the base.
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>

#include "base/file.h"
#include "base/limits.h"
#include "base/random.h"
#include "encoder/bert.h"
#include "encoder/encoder.h"
#include "encoder/testing.h"

namespace signalbox::encoder {
namespace {

using testing::bytes_of;
using testing::SafetensorsBuilder;
using testing::write_file;

constexpr std::size_t kHidden = 44, kInner = 70, kLayers = 2, kRank = 3;
constexpr std::string_view kModule = "layer.1.output.dense";

BertConfig tiny_config() {
  const auto text =
      read_file(testing::tiny_directory() + "/config.json", limits::kModelMetadataBytesMax);
  return *BertConfig::parse(*text);
}

Bert tiny(const std::string& path = testing::tiny_directory() + "/model.safetensors") {
  auto loaded = Bert::load(path, tiny_config());
  EXPECT_TRUE(loaded) << loaded.error().message;
  return *std::move(loaded);
}

std::vector<float> random_floats(std::size_t count, float size, std::uint64_t seed) {
  Random random(seed);
  std::vector<float> out(count);
  for (float& x : out) x = size * (static_cast<float>(random.below(2001)) / 1000 - 1);
  return out;
}

struct Update {
  std::vector<float> a = random_floats(kRank * kInner, 0.3f, 1);
  std::vector<float> b = random_floats(kHidden * kRank, 0.3f, 2);
  std::string bytes(const std::string& module = std::string(kModule)) const {
    return SafetensorsBuilder()
        .add(module + ".a", "F32", "[3,70]", bytes_of(a))
        .add(module + ".b", "F32", "[44,3]", bytes_of(b))
        .bytes();
  }
};

std::span<const std::byte> as_bytes(const std::string& text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

Result<Bert::TopLayers> load_top(const Bert& bert, const std::string& bytes) {
  SBX_TRY(const auto file, Safetensors::parse(as_bytes(bytes)));
  return bert.load_top(file);
}

// The tiny model's file with B A added to a weight of its last layer.
std::string merged_file(const Update& update) {
  auto file = *read_file(testing::tiny_directory() + "/model.safetensors", 1 << 20);
  const auto tensors = Safetensors::parse(as_bytes(file));
  const Tensor* weight = tensors->find("bert.encoder.layer.1.output.dense.weight");
  char* at = file.data() + (reinterpret_cast<const char*>(weight->data.data()) - file.data());
  for (std::size_t i = 0; i < kHidden * kInner; ++i) {
    float value = 0;
    std::memcpy(&value, at + i * sizeof value, sizeof value);
    for (std::size_t r = 0; r < kRank; ++r)
      value += update.b[i / kInner * kRank + r] * update.a[r * kInner + i % kInner];
    std::memcpy(at + i * sizeof value, &value, sizeof value);
  }
  return write_file(::testing::TempDir() + "adapter_merged", "model.safetensors", file);
}

const std::vector<std::int32_t> kIds{2, 5, 6, 7, 9, 11, 8, 8, 4, 3};

std::vector<float> means(const BertScratch& scratch) {
  return {scratch.means.data(), scratch.means.data() + (kLayers + 1) * kHidden};
}

TEST(Adapter, GivesWhatABaseWithTheSumInItsWeightsGives) {
  const Update update;
  const Bert base = tiny(), merged = tiny(merged_file(update));
  const auto top = load_top(base, update.bytes());
  ASSERT_TRUE(top) << top.error().message;
  EXPECT_EQ(top->first_layer(), 1U);
  EXPECT_EQ(top->layers(), 1U);
  BertScratch adapted, wanted;
  const std::vector<std::size_t> kept{0, 1};
  base.forward(kIds, adapted, kept);
  base.forward_top(*top, kIds.size(), 1, adapted);
  merged.forward(kIds, wanted);
  const auto a = means(adapted), b = means(wanted);
  for (std::size_t i = 0; i < a.size(); ++i) ASSERT_NEAR(a[i], b[i], 1e-5) << i;
  for (std::size_t i = 0; i < kIds.size() * kHidden; ++i)
    ASSERT_NEAR(adapted.hidden.data()[i], wanted.hidden.data()[i], 1e-5) << i;
}

TEST(Adapter, ChangesNothingBelowItAndSomethingAbove) {
  const Bert base = tiny();
  const auto top = load_top(base, Update().bytes());
  ASSERT_TRUE(top) << top.error().message;
  BertScratch scratch;
  const std::vector<std::size_t> kept{1};  // forward_top() looks at it again
  base.forward(kIds, scratch, kept);
  const auto before = means(scratch);
  base.forward_top(*top, kIds.size(), 0, scratch);
  const auto after = means(scratch);
  for (std::size_t i = 0; i < 2 * kHidden; ++i) ASSERT_EQ(before[i], after[i]);
  EXPECT_NE(std::vector(before.begin() + 2 * kHidden, before.end()),
            std::vector(after.begin() + 2 * kHidden, after.end()));
}

TEST(Adapter, DamagedOrMismatchingUpdatesAreRefused) {
  const Bert base = tiny();
  for (const std::string& bytes :
       {Update().bytes("layer.2.output.dense"), Update().bytes("layer.1.intermediate.dense"),
        SafetensorsBuilder()
            .add("layer.1.output.dense.a", "F32", "[3,70]", bytes_of(Update().a))
            .bytes(),
        SafetensorsBuilder().bytes()}) {
    const auto top = load_top(base, bytes);
    ASSERT_FALSE(top);
    EXPECT_EQ(top.error().code, Code::kCorrupt);
  }
}

// A head of kinds of task on the base's last mean, mixed half and half with one on the adapted.
std::string models_with_adapter(const std::string& name, const std::string& fingerprint) {
  const std::string folder = ::testing::TempDir() + "adapter_" + name;
  std::filesystem::remove_all(folder);
  write_file(folder + "/adapters", "topic.safetensors", Update().bytes());
  write_file(folder + "/task_kind", "head.safetensors",
             SafetensorsBuilder()
                 .add("dense.0.weight", "F32", "[2,44]", bytes_of(std::vector<float>(88, 0.0f)))
                 .add("dense.0.bias", "F32", "[2]", bytes_of({0, 0}))
                 .add("adapted.0.weight", "F32", "[2,44]", bytes_of(std::vector<float>(88, 0.0f)))
                 .add("adapted.0.bias", "F32", "[2]", bytes_of({0, 20}))
                 .bytes());
  write_file(
      folder + "/task_kind", "meta.json",
      R"({"version":"1","base_fingerprint":")" + tiny().fingerprint() +
          R"(","labels":["code","other"],"states":[2],"adapter":{"name":"topic","fingerprint":")" +
          fingerprint + R"(","states":[2],"weight":0.5}})");
  return folder;
}

std::string adapter_fingerprint() {
  const std::string bytes = Update().bytes();
  return Safetensors::parse(as_bytes(bytes))->fingerprint();
}

TEST(Adapter, AHeadMixesBothVerdictsAndThePassesAreCounted) {
  auto encoder =
      Encoder::load(testing::tiny_directory(), models_with_adapter("mixed", adapter_fingerprint()));
  ASSERT_TRUE(encoder) << encoder.error().message;
  ASSERT_TRUE((*encoder)->has(Task::kTaskKind));
  Workspace workspace;
  const auto with = (*encoder)->analyze("the points move",
                                        demand_of(Task::kTaskKind) | Demand::kEmbedding, workspace);
  EXPECT_NEAR(with.of(Task::kTaskKind)[1], 0.75, 1e-4);
  EXPECT_EQ(with.passes, 1);
  EXPECT_DOUBLE_EQ(with.passes_used, 1.5);
  const auto without = (*encoder)->analyze("the points move", Demand::kEmbedding, workspace);
  EXPECT_DOUBLE_EQ(without.passes_used, 1);
  // The embedding stays the base's own.
  EXPECT_EQ(with.embedding, without.embedding);
}

TEST(Adapter, AHeadOfAnotherVersionOfItsAdapterIsLeftOut) {
  auto encoder =
      Encoder::load(testing::tiny_directory(), models_with_adapter("stale", "0123456789abcdef"));
  ASSERT_TRUE(encoder) << encoder.error().message;
  EXPECT_FALSE((*encoder)->has(Task::kTaskKind));
}

}  // namespace
}  // namespace signalbox::encoder
