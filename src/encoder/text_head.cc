#include "encoder/text_head.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "base/file.h"
#include "base/limits.h"
#include "base/log.h"
#include "encoder/mapped_file.h"

namespace signalbox::encoder {
namespace {

constexpr std::size_t kDenseMax = 8;

// Copies `count` floats scaled to Euclidean length 1 (a zero vector stays zero).
void copy_unit(const float* from, std::size_t count, float* to) {
  double square = 0;
  for (std::size_t i = 0; i < count; ++i)
    square += static_cast<double>(from[i]) * static_cast<double>(from[i]);
  const float factor = square > 0 ? static_cast<float>(1.0 / std::sqrt(square)) : 0.0f;
  for (std::size_t i = 0; i < count; ++i) to[i] = from[i] * factor;
}

// The weighted geometric mean of two judges: one that is sure of a label's absence counts more than
// in a sum. The floor keeps it from ruling a label out alone.
void multiply_in(std::span<const float> said, float weight, std::vector<float>& mix) {
  constexpr float kFloor = 0.01f;  // as in train/heads.py
  if (said.size() != mix.size()) return;
  float sum = 0;
  for (std::size_t i = 0; i < mix.size(); ++i) {
    mix[i] =
        std::exp((1 - weight) * std::log(mix[i] + kFloor) + weight * std::log(said[i] + kFloor));
    sum += mix[i];
  }
  for (float& value : mix) value /= sum;
}

// Straight lines between the knots, flat outside them.
float interpolate(const std::vector<std::pair<float, float>>& knots, float raw) {
  const auto next =
      std::ranges::upper_bound(knots, raw, {}, [](const auto& knot) { return knot.first; });
  if (next == knots.begin()) return next->second;
  const auto& [x0, y0] = *(next - 1);
  if (next == knots.end()) return y0;
  return y0 + (next->second - y0) * (raw - x0) / (next->first - x0);
}

}  // namespace

Result<TextHead> TextHead::load(const std::string& directory, const HeadBase& base,
                                const tensor::Kernels& kernels) {
  TextHead head;
  head.kernels_ = &kernels;
  head.hidden_ = base.hidden;
  SBX_TRY(const auto text, read_file(directory + "/meta.json", limits::kModelMetadataBytesMax));
  SBX_TRY(head.meta_, HeadMeta::parse(text, base));
  SBX_TRY(const auto mapped,
          MappedFile::open(directory + "/head.safetensors", limits::kHeadFileBytesMax));
  SBX_TRY(const auto file, Safetensors::parse(mapped.bytes()));
  SBX_TRY(head.dense_, head.read_network(file, "dense", head.meta_.states.size()));
  if (!head.meta_.adapted.adapter.empty()) {
    SBX_TRY(head.adapted_, head.read_network(file, "adapted", head.meta_.adapted.states.size()));
  }
  SBX_CHECK_OK(head.read_neighbours(file));
  if (head.meta_.words_weight > 0) {
    SBX_TRY(head.words_, WordModel::read(file, head.labels().size()));
  }
  const auto own = read_file(directory + "/calibration.json", limits::kModelMetadataBytesMax);
  if (!own) return head;
  if (const auto applied = head.meta_.apply_calibration(*own); !applied)
    log::warning("{}/calibration.json is not used: {}", directory, applied.error().message);
  return head;
}

TextHead TextHead::labels_only(HeadMeta meta) {
  TextHead head;
  head.meta_ = std::move(meta);
  return head;
}

Result<TextHead::Network> TextHead::read_network(const Safetensors& file, const std::string& name,
                                                 std::size_t states) const {
  Network network;
  std::size_t inputs = states * hidden_;
  for (std::size_t i = 0; i < kDenseMax; ++i) {
    const std::string layer = name + "." + std::to_string(i);
    const Tensor* weights = file.find(layer + ".weight");
    if (weights == nullptr) break;
    if (weights->shape.size() != 2 || weights->shape[1] != inputs || weights->shape[0] == 0) {
      return fail(Code::kCorrupt, "a head's layers do not fit together");
    }
    const std::size_t outputs = weights->shape[0];
    const std::array<std::uint64_t, 1> bias_shape{outputs};
    SBX_TRY(const auto bias, file.floats(layer + ".bias", bias_shape));
    tensor::Linear linear(*kernels_, inputs, outputs);
    std::vector<float> row(inputs);
    for (std::size_t column = 0; column < outputs; ++column) {
      SBX_CHECK_OK(weights->read(column * inputs, row));
      linear.set_output(column, row.data(), bias[column]);
    }
    network.push_back(std::move(linear));
    inputs = outputs;
  }
  if (network.empty() || inputs != labels().size()) {
    return fail(Code::kCorrupt, "a head does not end in one output per label");
  }
  return network;
}

Result<void> TextHead::read_neighbours(const Safetensors& file) {
  if (meta_.weight == 0) return {};
  const Tensor* keys = file.find("neighbours.keys");
  const Tensor* numbers = file.find("neighbours.labels");
  if (keys == nullptr || numbers == nullptr || keys->dtype != Dtype::kI8 ||
      numbers->dtype != Dtype::kU8 || keys->shape.size() != 2 || keys->shape[1] != hidden_ ||
      numbers->count() != keys->shape[0] || keys->shape[0] == 0) {
    return fail(Code::kCorrupt, "a head's neighbour table is damaged");
  }
  neighbours_.count = keys->shape[0];
  const std::array<std::uint64_t, 1> scale_shape{neighbours_.count};
  SBX_TRY(neighbours_.scales, file.floats("neighbours.scales", scale_shape));
  neighbours_.keys.resize(keys->data.size());
  std::memcpy(neighbours_.keys.data(), keys->data.data(), keys->data.size());
  neighbours_.labels.resize(numbers->data.size());
  std::memcpy(neighbours_.labels.data(), numbers->data.data(), numbers->data.size());
  const bool known = std::ranges::all_of(
      neighbours_.labels, [this](std::uint8_t label) { return label < labels().size(); });
  if (!known) return fail(Code::kCorrupt, "a head's neighbour table is damaged");
  meta_.nearest = std::clamp<std::size_t>(meta_.nearest, 1, neighbours_.count);
  return {};
}

std::vector<float> TextHead::run_network(const Network& network,
                                         std::span<const std::size_t> wanted,
                                         std::span<const PooledStates> rows) const {
  std::size_t width = wanted.size() * hidden_;
  std::vector<float> values(rows.size() * width);
  for (std::size_t row = 0; row < rows.size(); ++row) {
    for (std::size_t i = 0; i < wanted.size(); ++i)
      copy_unit(rows[row].state(wanted[i]), hidden_, &values[row * width + i * hidden_]);
  }
  for (std::size_t i = 0; i < network.size(); ++i) {
    const std::size_t columns = network[i].columns();
    std::vector<float> next(rows.size() * columns);
    const auto activation =
        i + 1 < network.size() ? tensor::Activation::kGelu : tensor::Activation::kNone;
    network[i].apply(values.data(), width, rows.size(), next.data(), columns, activation);
    values = std::move(next);
    width = columns;
  }
  for (std::size_t row = 0; row < rows.size(); ++row)
    kernels_->softmax(&values[row * width], width);
  return values;
}

TextHead::Vote TextHead::vote(const float* embedding) const {
  struct Match {
    float similarity;
    std::uint8_t label;
  };
  std::vector<float> unit(hidden_);
  copy_unit(embedding, hidden_, unit.data());
  std::vector<Match> matches(neighbours_.count);
  for (std::size_t i = 0; i < neighbours_.count; ++i) {
    const float dot = kernels_->dot_i8(&neighbours_.keys[i * hidden_], unit.data(), hidden_);
    matches[i] = {dot * neighbours_.scales[i], neighbours_.labels[i]};
  }
  const auto end = matches.begin() + static_cast<std::ptrdiff_t>(meta_.nearest);
  std::nth_element(matches.begin(), end - 1, matches.end(),
                   [](const Match& a, const Match& b) { return a.similarity > b.similarity; });
  std::vector<float> votes(labels().size(), 0.0f);
  float sum = 0, similarity = 0;
  for (auto match = matches.begin(); match != end; ++match) {
    const float weight = std::exp((match->similarity - 1) * meta_.sharpness);
    votes[match->label] += weight;
    sum += weight;
    similarity += match->similarity;
  }
  for (float& value : votes)
    value = sum > 0 ? value / sum : 1.0f / static_cast<float>(votes.size());
  return {std::move(votes), similarity / static_cast<float>(meta_.nearest)};
}

void TextHead::calibrate(std::vector<float>& probabilities, float similarity) const {
  constexpr float kFloor = 1e-6f;  // a label without a vote keeps a finite logarithm
  const float temperature =
      meta_.temperature * std::exp(meta_.temperature_slope * (similarity - 0.5f));
  for (float& value : probabilities) value = std::log(value + kFloor) / temperature;
  kernels_->softmax(probabilities.data(), probabilities.size());
  if (meta_.isotonic.empty()) return;
  // The positive labels share the score's true meaning in their old proportions, the others the
  // rest.
  const float raw = score(probabilities);
  const float meant = interpolate(meta_.isotonic, raw);
  const float others = raw < 1 ? (1 - meant) / (1 - raw) : 0;
  const float positive = raw > 0 ? meant / raw : 0;
  for (std::size_t i = 0; i < probabilities.size(); ++i) {
    const bool found = std::ranges::find(meta_.positive, i) != meta_.positive.end();
    probabilities[i] *= found ? positive : others;
  }
}

std::vector<float> TextHead::classify(const Input& input) const {
  std::vector<float> mix = run_network(dense_, meta_.states, {&input.states, 1});
  const auto mix_in = [&](std::span<const float> said, float weight) {
    for (std::size_t i = 0; i < mix.size() && i < said.size(); ++i)
      mix[i] += weight * (said[i] - mix[i]);
  };
  if (input.adapted != nullptr && !adapted_.empty())
    mix_in(run_network(adapted_, meta_.adapted.states, {input.adapted, 1}), meta_.adapted.weight);
  float similarity = 0.5f;
  if (meta_.weight > 0) {
    const Vote said = vote(input.states.last_mean());
    mix_in(said.shares, meta_.weight);
    similarity = said.similarity;
  }
  take_worst(input.segments, mix);
  multiply_in(input.words, meta_.words_weight, mix);
  calibrate(mix, similarity);
  return mix;
}

// Replaces `mix` by the verdict on the stretch that looks most like a finding, where that is worse.
void TextHead::take_worst(std::span<const PooledStates> segments, std::vector<float>& mix) const {
  if (segments.empty()) return;
  float worst = score(mix);
  const auto all = run_network(dense_, meta_.states, segments);
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const std::span<const float> said{&all[i * mix.size()], mix.size()};
    const float found = score(said), odds = meta_.segment_odds;
    const float sum = 1 - found + found * odds;
    if (sum <= 0 || found * odds / sum <= worst) continue;
    std::ranges::transform(said, mix.begin(), [&](float value) { return value / sum; });
    for (const std::size_t label : meta_.positive) mix[label] *= odds;
    worst = score(mix);
  }
}

std::vector<float> TextHead::judge_words(std::string_view text) const {
  return words_.empty() ? std::vector<float>() : words_.classify(text);
}

float TextHead::score(std::span<const float> probabilities) const {
  if (meta_.positive.empty()) return probabilities.empty() ? 0.0f : std::ranges::max(probabilities);
  float sum = 0;
  for (const std::size_t label : meta_.positive)
    sum += label < probabilities.size() ? probabilities[label] : 0.0f;
  return std::min(sum, 1.0f);
}

}  // namespace signalbox::encoder
