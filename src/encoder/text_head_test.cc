#include "encoder/text_head.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <filesystem>
#include <numeric>

#include "encoder/testing.h"

namespace signalbox::encoder {
namespace {

using testing::bytes_of;
using testing::SafetensorsBuilder;
using testing::write_file;

constexpr std::size_t kHidden = 4, kLayers = 1;
constexpr std::size_t kCalm = 0, kAngry = 1;

// A meta.json with the given members instead of, or beside, the usual ones.
std::string meta(const std::string& more = {}, const std::string& states = "[0,1]",
                 const std::string& print = "f00d") {
  return R"({"version":"7","base_fingerprint":")" + print +
         R"(","labels":["calm","angry","loud"],"states":)" + states +
         (more.empty() ? "" : "," + more) + "}";
}
std::string neighbours(const std::string& weight) {
  return R"("neighbours":{"nearest":2,"sharpness":10,"weight":)" + weight + "}";
}
const std::string kDetector = R"("positive":["angry","loud"])";

// A linear head that says angry for input 0 of state 1, and two neighbours that say calm along
// input 1.
SafetensorsBuilder tensors(std::size_t states = 2) {
  std::vector<float> weights(3 * states * kHidden, 0.0f);
  weights[kAngry * states * kHidden + (states - 1) * kHidden] = 5;
  std::string keys;
  for (int i = 0; i < 2; ++i) keys += std::string("\x00\x7F\x00\x00", 4);
  SafetensorsBuilder builder;
  builder
      .add("dense.0.weight", "F32", "[3," + std::to_string(states * kHidden) + "]",
           bytes_of(weights))
      .add("dense.0.bias", "F32", "[3]", bytes_of(std::vector<float>(3, 0.0f)))
      .add("neighbours.keys", "I8", "[2,4]", keys)
      .add("neighbours.scales", "F32", "[2]", bytes_of({1 / 127.0f, 1 / 127.0f}))
      .add("neighbours.labels", "U8", "[2]", std::string(2, static_cast<char>(kCalm)));
  return builder;
}

struct Files {
  std::string meta_json = meta();
  std::string head = tensors().bytes();
  std::string calibration;
};

Result<TextHead> load(const Files& files, const std::string& name) {
  const std::string folder = ::testing::TempDir() + "text_head_" + name;
  std::filesystem::remove_all(folder);
  write_file(folder, "meta.json", files.meta_json);
  write_file(folder, "head.safetensors", files.head);
  if (!files.calibration.empty()) write_file(folder, "calibration.json", files.calibration);
  return TextHead::load(folder, {PooledStates::count(kLayers), kHidden, "f00d"},
                        tensor::best_kernels());
}

// States of a text of one token per row of `tokens`; the mean of state 0 points along input 3.
PooledStates states_of(const std::vector<std::vector<float>>& tokens) {
  BertScratch scratch;
  scratch.hidden.resize(tokens.size() * kHidden);
  scratch.means.resize((kLayers + 1) * kHidden);
  std::fill_n(scratch.means.data(), (kLayers + 1) * kHidden, 0.0f);
  scratch.means.data()[3] = 1;
  for (std::size_t t = 0; t < tokens.size(); ++t) {
    for (std::size_t i = 0; i < kHidden; ++i) {
      scratch.hidden.data()[t * kHidden + i] = tokens[t][i];
      scratch.means.data()[kHidden + i] += tokens[t][i] / static_cast<float>(tokens.size());
    }
  }
  BertConfig config;
  config.layers = kLayers;
  config.hidden = kHidden;
  PooledStates pooled;
  pooled.assign(config, scratch, tokens.size());
  return pooled;
}

std::vector<float> classify(const Files& files, const std::string& name,
                            const std::vector<std::vector<float>>& tokens) {
  const auto head = load(files, name);
  EXPECT_TRUE(head) << head.error().message;
  const auto states = states_of(tokens);
  return head->classify({.states = states});
}

std::size_t best(const std::vector<float>& p) {
  return static_cast<std::size_t>(std::max_element(p.begin(), p.end()) - p.begin());
}

TEST(TextHead, TheNetworkSeesStatesScaledToLengthOne) {
  const auto p = classify({}, "network", {{30, 0, 0, 0}});
  EXPECT_EQ(best(p), kAngry);
  EXPECT_NEAR(p[kAngry], std::exp(5.0) / (std::exp(5.0) + 2), 1e-3);
  EXPECT_NEAR(std::accumulate(p.begin(), p.end(), 0.0), 1.0, 1e-5);
}

TEST(TextHead, ThePeakKeepsWhatOneTokenOfManySays) {
  std::vector<std::vector<float>> tokens(50, {0, 0.01f, 0, 0});
  tokens[20] = {1, 0, 0, 0};
  const auto peak = classify({.meta_json = meta("", "[0,2]")}, "peak", tokens);
  const auto mean = classify({.meta_json = meta("", "[0,1]")}, "mean",
                             std::vector<std::vector<float>>(50, {0, 0.01f, 0, 0}));
  EXPECT_GT(peak[kAngry], 0.9f);
  EXPECT_NEAR(mean[kAngry], 1 / 3.0, 1e-3);
}

TEST(TextHead, NeighboursVoteWithTheirShare) {
  const auto p = classify({.meta_json = meta(neighbours("0.6"))}, "neighbours", {{0, 2, 0, 0}});
  EXPECT_EQ(best(p), kCalm);
  EXPECT_NEAR(p[kCalm], 0.6 + 0.4 / 3, 1e-3);
}

// Two buckets: "Loud" falls into one of them, and its weight says loud.
SafetensorsBuilder with_words() {
  const bool odd = (WordModel::features("loud")[0] & 1) == 1;
  const std::string quiet(3, '\0'), loud{'\0', '\0', '\x7F'};
  return tensors()
      .add("words.weights", "I8", "[2,3]", odd ? quiet + loud : loud + quiet)
      .add("words.scales", "F32", "[3]", bytes_of({1, 1, 1}))
      .add("words.bias", "F32", "[3]", bytes_of({0, 0, 0}))
      .add("words.rarity", "F32", "[2]", bytes_of({odd ? 0.0f : 1.0f, odd ? 1.0f : 0.0f}));
}

TEST(TextHead, WordsHaveTheirShareAndCaseDoesNotMatter) {
  const auto head =
      load({.meta_json = meta(R"("words":{"weight":0.5})"), .head = with_words().bytes()}, "words");
  ASSERT_TRUE(head) << head.error().message;
  const auto states = states_of({{0, 1, 0, 0}});
  const auto said = head->judge_words("LOUD");
  ASSERT_EQ(said.size(), 3U);
  EXPECT_NEAR(said[2], 1, 1e-4);
  const auto p = head->classify({.states = states, .words = said});
  // The geometric mean of a third each and of (0, 0, 1), both with a floor of 0.01.
  const double loud = std::sqrt((1 / 3.0 + 0.01) * 1.01),
               other = std::sqrt((1 / 3.0 + 0.01) * 0.01);
  EXPECT_NEAR(p[2], loud / (loud + 2 * other), 1e-3);
  EXPECT_NEAR(head->judge_words("")[2], 1 / 3.0, 1e-5);
}

TEST(TextHead, WithoutAWeightWordsAreNotAsked) {
  const auto head = load({.head = with_words().bytes()}, "no_words");
  ASSERT_TRUE(head);
  EXPECT_TRUE(head->judge_words("loud").empty());
}

TEST(TextHead, AHigherTemperatureFlattensWithoutChangingTheLabel) {
  const auto sharp = classify({}, "sharp", {{1, 0, 0, 0}});
  const auto flat = classify({.meta_json = meta(R"("temperature":4)")}, "flat", {{1, 0, 0, 0}});
  EXPECT_EQ(best(sharp), best(flat));
  EXPECT_LT(flat[kAngry], sharp[kAngry]);
}

TEST(TextHead, NearNeighboursMakeItLessSureWhereTheSlopeSaysSo) {
  // The two neighbours are as near as can be: a similarity of 1.
  const std::string slope = R"("temperature_slope":2)";
  const auto p = classify({.meta_json = meta(neighbours("0.6"))}, "no_slope", {{0, 2, 0, 0}});
  const auto flat =
      classify({.meta_json = meta(neighbours("0.6") + "," + slope)}, "slope", {{0, 2, 0, 0}});
  EXPECT_NEAR(std::log(flat[kCalm] / flat[kAngry]),
              std::log(p[kCalm] / p[kAngry]) / std::exp(2 * 0.5), 1e-3);
}

TEST(TextHead, TheWorstStretchOfATextCountsWithItsOdds) {
  const auto calm = states_of({{0, 0, 1, 0}}), angry = states_of({{1, 0, 0, 0}});
  const std::array<PooledStates, 2> segments{calm, angry};
  const auto score = [&](const std::string& name, const std::string& odds) {
    const auto head = load(
        {.meta_json = meta(kDetector + R"(,"segments":{"tokens":32,"odds":)" + odds + "}")}, name);
    EXPECT_TRUE(head) << head.error().message;
    const auto p = head->classify({.states = calm, .segments = segments});
    EXPECT_NEAR(std::accumulate(p.begin(), p.end(), 0.0), 1.0, 1e-4);
    return static_cast<double>(head->score(p));
  };
  const double worst = 1 - 1 / (std::exp(5.0) + 2);
  EXPECT_NEAR(score("all", "1"), worst, 1e-3);
  EXPECT_NEAR(score("odds", "0.1"), 0.1 * worst / (1 - worst + 0.1 * worst), 1e-3);
  EXPECT_NEAR(score("none", "0"), 2 / 3.0, 1e-3);  // what the whole says
}

TEST(TextHead, ADetectorsScoreIsWhatItsPositiveLabelsHaveTogether) {
  const auto head = load({.meta_json = meta(kDetector)}, "detector");
  ASSERT_TRUE(head) << head.error().message;
  EXPECT_NEAR(head->score(std::vector{0.5f, 0.3f, 0.2f}), 0.5, 1e-6);
  const auto other = load({}, "no_detector");
  EXPECT_NEAR(other->score(std::vector{0.5f, 0.3f, 0.2f}), 0.5, 1e-6);
  EXPECT_NEAR(other->score(std::vector{0.1f, 0.7f, 0.2f}), 0.7, 1e-6);
}

TEST(TextHead, IsotonicCalibrationSetsTheScoreAndKeepsTheSharesWithin) {
  const std::string knots =
      R"("isotonic":[{"raw":0,"meant":0},{"raw":0.9,"meant":0.3},{"raw":1,"meant":0.4}])";
  const Files files{.meta_json = meta(kDetector + "," + knots)};
  const auto raw = classify({}, "raw", {{0, 0, 1, 0}});  // 1/3 each: a score of 2/3
  ASSERT_NEAR(raw[kCalm], 1 / 3.0, 1e-3);
  const auto p = classify(files, "isotonic", {{0, 0, 1, 0}});
  EXPECT_NEAR(p[1] + p[2], 2 / 3.0 * 0.3 / 0.9, 1e-3);
  EXPECT_NEAR(p[1], p[2], 1e-5);
  EXPECT_NEAR(std::accumulate(p.begin(), p.end(), 0.0), 1.0, 1e-5);
}

TEST(TextHead, AUsersCalibrationOfTheSameVersionReplacesTheThresholds) {
  const Files files{.meta_json = meta(kDetector + R"(,"threshold":0.5)"),
                    .calibration = R"({"version":"7","threshold":0.8,
                                       "abstain":{"low":0.6,"high":0.8}})"};
  const auto head = load(files, "calibrated");
  ASSERT_TRUE(head) << head.error().message;
  EXPECT_DOUBLE_EQ(head->meta().threshold, 0.8);
  EXPECT_DOUBLE_EQ(head->meta().abstain_low, 0.6);
  EXPECT_DOUBLE_EQ(head->meta().abstain_high, 0.8);
}

TEST(TextHead, ACalibrationOfAnotherVersionOrADamagedOneChangesNothing) {
  for (const std::string calibration :
       {R"({"version":"8","threshold":0.8})", R"({"version":"7","threshold":8})", "{"}) {
    const auto head = load({.meta_json = meta(), .calibration = calibration}, "stale");
    ASSERT_TRUE(head) << head.error().message;
    EXPECT_DOUBLE_EQ(head->meta().threshold, 0.5) << calibration;
  }
}

TEST(TextHead, AHeadOfOtherWeightsIsRefused) {
  const auto head = load({.meta_json = meta("", "[0,1]", "beef")}, "other");
  ASSERT_FALSE(head);
  EXPECT_EQ(head.error().code, Code::kCorrupt);
}

TEST(TextHead, DamagedFilesAreCorrupt) {
  const auto refuses = [](const Files& files, const std::string& why) {
    const auto head = load(files, "damaged");
    EXPECT_FALSE(head) << why;
    if (head) return;
    EXPECT_EQ(head.error().code, Code::kCorrupt) << why;
  };
  refuses({.meta_json = meta(R"("temperature":0)")}, "temperature 0");
  refuses({.meta_json = meta(R"("segments":{"tokens":32,"odds":1})")}, "segments of no detector");
  refuses({.meta_json = meta(kDetector + R"(,"segments":{"tokens":0,"odds":1})")},
          "empty segments");
  refuses({.meta_json = meta(neighbours("2"))}, "a share above 1");
  refuses({.meta_json = meta("", "[0,3]")}, "a state the base lacks");
  refuses({.meta_json = meta("", "[0]")}, "fewer inputs than weights");
  refuses({.meta_json = meta("", "[]")}, "no inputs");
  refuses({.meta_json = meta(R"("positive":["shy"])")}, "an unknown positive label");
  refuses({.meta_json = meta(R"("windows":"median")")}, "an unknown pooling");
  refuses({.meta_json = meta(R"("isotonic":[{"raw":0,"meant":1}])")}, "isotonic, no detector");
  refuses(
      {.meta_json = meta(kDetector + R"(,"isotonic":[{"raw":0,"meant":1},{"raw":1,"meant":0}])")},
      "a falling calibration");
  refuses({.meta_json = meta(R"("abstain":{"low":0.5,"high":0.4})")}, "an inverted band");
  refuses({.meta_json = "{}"}, "empty metadata");
  refuses({.head = tensors().bytes().substr(0, 100)}, "cut tensors");
  refuses({.head = SafetensorsBuilder().bytes()}, "no tensors");
  refuses({.head = tensors(1).bytes()}, "other shapes");
  refuses({.meta_json = meta(R"("words":{"weight":0.5})")}, "no table of words");
  refuses({.meta_json = meta(R"("words":{"weight":2})"), .head = with_words().bytes()},
          "words above 1");
  refuses({.meta_json =
               meta(R"("adapter":{"name":"../x","fingerprint":"1","states":[1],"weight":0.5})")},
          "an adapter's name that is a path");
  refuses(
      {.meta_json = meta(R"("adapter":{"name":"x","fingerprint":"1","states":[1],"weight":0.5})")},
      "no network for the adapted states");
  auto bytes = tensors().bytes();
  bytes.back() = 3;
  refuses({.meta_json = meta(neighbours("0.5")), .head = bytes}, "a neighbour without a label");
}

}  // namespace
}  // namespace signalbox::encoder
