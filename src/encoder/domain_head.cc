#include "encoder/domain_head.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "base/file.h"
#include "base/limits.h"
#include "encoder/mapped_file.h"
#include "json/document.h"

namespace signalbox::encoder {
namespace {

constexpr std::array<std::string_view, 14> kLabels{
    "business",  "law",  "psychology", "biology",          "chemistry",  "history",     "health",
    "economics", "math", "physics",    "computer science", "philosophy", "engineering", "other"};
constexpr std::uint64_t kHeadBytesMax = 64 << 20;
constexpr std::size_t kDenseMax = 8;

Result<json::Value> need(json::Value object, std::string_view key) {
  SBX_TRY(const auto found, object.find(key));
  if (!found)
    return fail(Code::kCorrupt, "the domain head's meta.json lacks a key", std::string(key));
  return *found;
}

Result<double> need_number(json::Value object, std::string_view key, double low, double high) {
  SBX_TRY(const auto value, need(object, key));
  const auto number = value.number();
  if (!number || !(*number >= low && *number <= high)) {
    return fail(Code::kCorrupt, "a number in the domain head's meta.json is out of range",
                std::string(key));
  }
  return *number;
}

// Copies `count` floats scaled to Euclidean length 1 (a zero vector stays zero).
void copy_unit(const float* from, std::size_t count, float* to) {
  double square = 0;
  for (std::size_t i = 0; i < count; ++i)
    square += static_cast<double>(from[i]) * static_cast<double>(from[i]);
  const float factor = square > 0 ? static_cast<float>(1.0 / std::sqrt(square)) : 0.0f;
  for (std::size_t i = 0; i < count; ++i) to[i] = from[i] * factor;
}

}  // namespace

std::span<const std::string_view> domain_label_names() { return kLabels; }

Result<DomainHead> DomainHead::load(const std::string& directory, std::size_t hidden,
                                    std::size_t layers, const std::string& fingerprint,
                                    const tensor::Kernels& kernels) {
  DomainHead head;
  head.kernels_ = &kernels;
  head.hidden_ = hidden;
  head.embedding_state_ = layers;
  SBX_TRY(const auto meta, read_file(directory + "/meta.json", limits::kModelMetadataBytesMax));
  SBX_CHECK_OK(head.read_meta(meta, layers, fingerprint));
  SBX_TRY(const auto mapped, MappedFile::open(directory + "/head.safetensors", kHeadBytesMax));
  SBX_TRY(const auto file, Safetensors::parse(mapped.bytes()));
  SBX_CHECK_OK(head.read_network(file, head.states_.size() * hidden, kernels));
  SBX_CHECK_OK(head.read_neighbours(file));
  return head;
}

Result<void> DomainHead::read_meta(const std::string& text, std::size_t layers,
                                   const std::string& fingerprint) {
  const auto document = json::Document::parse(text);
  if (!document)
    return fail(Code::kCorrupt, "the domain head's meta.json: " + document.error().message);
  const json::Value root = document->root();
  SBX_TRY(const auto made_for, need(root, "base_fingerprint"));
  if (made_for.string() != fingerprint) {
    return fail(
        Code::kCorrupt,
        "the domain head was trained for other base weights; run train/domain.py for these");
  }
  SBX_TRY(const auto labels, need(root, "labels"));
  const bool same = std::ranges::equal(
      labels.elements(), kLabels,
      [](const json::Value& value, std::string_view label) { return value.string() == label; });
  if (!same) return fail(Code::kCorrupt, "the domain head has other labels");
  SBX_TRY(const auto states, need(root, "states"));
  for (const json::Value state : states.elements()) {
    const auto index = state.integer();
    if (!index || *index < 0 || static_cast<std::size_t>(*index) > layers ||
        states_.size() > layers) {
      return fail(Code::kCorrupt,
                  "the domain head wants a hidden state that the base does not have");
    }
    states_.push_back(static_cast<std::size_t>(*index));
  }
  SBX_TRY(const auto version, need(root, "version"));
  version_ = version.string();
  SBX_TRY(const double temperature, need_number(root, "temperature", 0.01, 100));
  inverse_temperature_ = static_cast<float>(1 / temperature);
  SBX_TRY(const auto neighbours, need(root, "neighbours"));
  SBX_TRY(const double nearest, need_number(neighbours, "nearest", 0, 1000));
  SBX_TRY(const double sharpness, need_number(neighbours, "sharpness", 0, 1000));
  SBX_TRY(const double weight, need_number(neighbours, "weight", 0, 1));
  neighbours_.nearest = static_cast<std::size_t>(nearest);
  neighbours_.sharpness = static_cast<float>(sharpness);
  neighbours_.weight = static_cast<float>(weight);
  return {};
}

Result<void> DomainHead::read_network(const Safetensors& file, std::size_t inputs,
                                      const tensor::Kernels& kernels) {
  for (std::size_t i = 0; i < kDenseMax; ++i) {
    const std::string name = "dense." + std::to_string(i);
    const Tensor* weights = file.find(name + ".weight");
    if (weights == nullptr) break;
    if (weights->shape.size() != 2 || weights->shape[1] != inputs) {
      return fail(Code::kCorrupt, "the domain head's layers do not fit together");
    }
    const std::size_t outputs = weights->shape[0];
    const std::array<std::uint64_t, 1> bias_shape{outputs};
    SBX_TRY(const auto bias, file.floats(name + ".bias", bias_shape));
    tensor::Linear linear(kernels, inputs, outputs);
    std::vector<float> row(inputs);
    for (std::size_t column = 0; column < outputs; ++column) {
      SBX_CHECK_OK(weights->read(column * inputs, row));
      linear.set_output(column, row.data(), bias[column]);
    }
    dense_.push_back(std::move(linear));
    inputs = outputs;
  }
  if (dense_.empty() || inputs != kLabels.size()) {
    return fail(Code::kCorrupt, "the domain head does not end in one output per label");
  }
  return {};
}

Result<void> DomainHead::read_neighbours(const Safetensors& file) {
  if (neighbours_.weight == 0) return {};
  const Tensor* keys = file.find("neighbours.keys");
  const Tensor* labels = file.find("neighbours.labels");
  if (keys == nullptr || labels == nullptr || keys->dtype != Dtype::kI8 ||
      labels->dtype != Dtype::kU8 || keys->shape.size() != 2 || keys->shape[1] != hidden_ ||
      labels->count() != keys->shape[0] || keys->shape[0] == 0) {
    return fail(Code::kCorrupt, "the domain head's neighbour table is damaged");
  }
  neighbours_.count = keys->shape[0];
  const std::array<std::uint64_t, 1> scale_shape{neighbours_.count};
  SBX_TRY(neighbours_.scales, file.floats("neighbours.scales", scale_shape));
  neighbours_.keys.resize(keys->data.size());
  std::memcpy(neighbours_.keys.data(), keys->data.data(), keys->data.size());
  neighbours_.labels.resize(labels->data.size());
  std::memcpy(neighbours_.labels.data(), labels->data.data(), labels->data.size());
  const bool known = std::ranges::all_of(neighbours_.labels,
                                         [](std::uint8_t label) { return label < kLabels.size(); });
  if (!known) return fail(Code::kCorrupt, "the domain head's neighbour table is damaged");
  neighbours_.nearest = std::clamp<std::size_t>(neighbours_.nearest, 1, neighbours_.count);
  return {};
}

std::vector<float> DomainHead::run_network(const float* means) const {
  std::vector<float> values(states_.size() * hidden_);
  for (std::size_t i = 0; i < states_.size(); ++i) {
    copy_unit(means + states_[i] * hidden_, hidden_, &values[i * hidden_]);
  }
  for (std::size_t i = 0; i < dense_.size(); ++i) {
    std::vector<float> next(dense_[i].columns());
    const auto activation =
        i + 1 < dense_.size() ? tensor::Activation::kGelu : tensor::Activation::kNone;
    dense_[i].apply(values.data(), values.size(), 1, next.data(), next.size(), activation);
    values = std::move(next);
  }
  kernels_->softmax(values.data(), values.size());
  return values;
}

std::vector<float> DomainHead::vote(const float* embedding) const {
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
  const auto end = matches.begin() + static_cast<std::ptrdiff_t>(neighbours_.nearest);
  std::nth_element(matches.begin(), end - 1, matches.end(),
                   [](const Match& a, const Match& b) { return a.similarity > b.similarity; });
  std::vector<float> votes(kLabels.size(), 0.0f);
  float sum = 0;
  for (auto match = matches.begin(); match != end; ++match) {
    const float weight = std::exp((match->similarity - 1) * neighbours_.sharpness);
    votes[match->label] += weight;
    sum += weight;
  }
  for (float& value : votes)
    value = sum > 0 ? value / sum : 1.0f / static_cast<float>(votes.size());
  return votes;
}

std::vector<float> DomainHead::classify(const float* means) const {
  std::vector<float> mix = run_network(means);
  if (neighbours_.weight > 0) {
    const auto votes = vote(means + embedding_state_ * hidden_);
    for (std::size_t i = 0; i < mix.size(); ++i) mix[i] += neighbours_.weight * (votes[i] - mix[i]);
  }
  constexpr float kFloor = 1e-6f;  // a label without a vote keeps a finite logarithm
  for (float& value : mix) value = std::log(value + kFloor) * inverse_temperature_;
  kernels_->softmax(mix.data(), mix.size());
  return mix;
}

}  // namespace signalbox::encoder
