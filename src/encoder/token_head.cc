#include "encoder/token_head.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "base/file.h"
#include "base/limits.h"
#include "encoder/mapped_file.h"
#include "encoder/word_shape.h"
#include "json/document.h"

namespace signalbox::encoder {
namespace {

constexpr std::size_t kConvolutionsMax = 8, kTapsMax = 16;
constexpr std::int64_t kTapReachMax = 64;

std::unexpected<Error> damaged(std::string what) {
  return fail(Code::kCorrupt, "the token head: " + std::move(what));
}

Result<json::Value> need(json::Value object, std::string_view key) {
  SBX_TRY(const auto found, object.find(key));
  if (!found) return damaged("its metadata lacks " + std::string(key));
  return *found;
}

Result<tensor::Linear> read_dense(const Safetensors& file, const std::string& name,
                                  std::size_t inputs, std::size_t outputs,
                                  const tensor::Kernels& kernels) {
  const std::array<std::uint64_t, 2> shape{outputs, inputs};
  const std::array<std::uint64_t, 1> bias_shape{outputs};
  SBX_TRY(const Tensor* weights, file.require(name + ".weight", shape));
  SBX_TRY(const auto bias, file.floats(name + ".bias", bias_shape));
  tensor::Linear dense(kernels, inputs, outputs);
  std::vector<float> row(inputs);
  for (std::size_t i = 0; i < outputs; ++i) {
    SBX_CHECK_OK(weights->read(i * inputs, row));
    dense.set_output(i, row.data(), bias[i]);
  }
  return dense;
}

}  // namespace

Result<TokenHead> TokenHead::load(const std::string& directory, const TokenBase& base,
                                  const tensor::Kernels& kernels) {
  TokenHead head;
  head.kernels_ = &kernels;
  SBX_TRY(const auto meta, read_file(directory + "/meta.json", limits::kModelMetadataBytesMax));
  SBX_CHECK_OK(head.read_meta(meta, base));
  SBX_TRY(const auto mapped,
          MappedFile::open(directory + "/head.safetensors", limits::kHeadFileBytesMax));
  SBX_TRY(const auto file, Safetensors::parse(mapped.bytes()));
  SBX_CHECK_OK(head.read_network(file, kernels));
  return head;
}

Result<void> TokenHead::read_meta(const std::string& text, const TokenBase& base) {
  const auto document = json::Document::parse(text);
  if (!document) return damaged(document.error().message);
  const json::Value root = document->root();
  SBX_TRY(const auto made_for, need(root, "base_fingerprint"));
  if (made_for.string() != base.fingerprint)
    return damaged("trained for other base weights; run train/pii.py for these");
  SBX_TRY(const auto version, need(root, "version"));
  version_ = version.string();
  SBX_TRY(const auto shape, need(root, "shape_features"));
  if (shape.integer().value_or(-1) != static_cast<std::int64_t>(kShapeFeatures))
    return damaged("trained with other word features; run train/pii.py again");
  SBX_TRY(const auto types, need(root, "types"));
  for (const json::Value type : types.elements()) {
    SBX_TRY(const auto name, need(type, "name"));
    SBX_TRY(const auto threshold, need(type, "threshold"));
    const double value = threshold.number().value_or(-1);
    if (!(value >= 0 && value <= 1)) return damaged("a threshold is out of range");
    types_.push_back(name.string());
    thresholds_.push_back(static_cast<float>(value));
    SBX_TRY(const auto multi_line, type.find("multi_line"));
    multi_line_.push_back(multi_line && multi_line->boolean().value_or(false));
  }
  if (types_.empty() || labels() > limits::kHeadLabelsMax) return damaged("too few or many types");
  SBX_TRY(const auto states, need(root, "states"));
  for (const json::Value state : states.elements()) {
    const std::int64_t index = state.integer().value_or(-1);
    if (index < 0 || static_cast<std::size_t>(index) >= base.states ||
        states_.size() >= base.states) {
      return damaged("a hidden state is wanted that the base does not have");
    }
    states_.push_back(static_cast<std::size_t>(index));
  }
  inputs_ = states_.size() * base.hidden + kShapeFeatures;
  SBX_TRY(const auto width, need(root, "width"));
  const std::int64_t wide = width.integer().value_or(0);
  if (states_.empty() || wide < 1 || wide > static_cast<std::int64_t>(limits::kModelWidthMax))
    return damaged("no states, or an absurd width");
  width_ = static_cast<std::size_t>(wide);
  SBX_TRY(const auto convolutions, need(root, "convolutions"));
  for (const json::Value taps : convolutions.elements()) {
    Convolution layer;
    for (const json::Value tap : taps.elements()) {
      const std::int64_t offset = tap.integer().value_or(kTapReachMax + 1);
      if (std::abs(offset) > kTapReachMax || layer.taps.size() >= kTapsMax)
        return damaged("a convolution reaches too far");
      layer.taps.push_back(static_cast<int>(offset));
    }
    if (layer.taps.empty() || convolutions_.size() >= kConvolutionsMax)
      return damaged("too many convolutions, or an empty one");
    convolutions_.push_back(std::move(layer));
  }
  return {};
}

Result<void> TokenHead::read_network(const Safetensors& file, const tensor::Kernels& kernels) {
  SBX_TRY(first_, read_dense(file, "first", inputs_, width_, kernels));
  for (std::size_t i = 0; i < convolutions_.size(); ++i) {
    SBX_TRY(convolutions_[i].dense,
            read_dense(file, "convolution." + std::to_string(i),
                       convolutions_[i].taps.size() * width_, width_, kernels));
  }
  SBX_TRY(last_, read_dense(file, "last", width_, labels(), kernels));
  return {};
}

// values += gelu(convolution of values); words outside the text count as zeros.
void TokenHead::convolve(const Convolution& layer, std::vector<float>& values,
                         std::size_t words) const {
  const std::size_t stride = layer.taps.size() * width_;
  std::vector<float> window(words * stride, 0.0f), more(words * width_);
  for (std::size_t w = 0; w < words; ++w) {
    for (std::size_t t = 0; t < layer.taps.size(); ++t) {
      const auto from = static_cast<std::ptrdiff_t>(w) + layer.taps[t];
      if (from < 0 || from >= static_cast<std::ptrdiff_t>(words)) continue;
      std::copy_n(values.data() + static_cast<std::size_t>(from) * width_, width_,
                  window.data() + w * stride + t * width_);
    }
  }
  layer.dense.apply(window.data(), stride, words, more.data(), width_, tensor::Activation::kGelu);
  for (std::size_t i = 0; i < more.size(); ++i) values[i] += more[i];
}

std::vector<float> TokenHead::classify(const float* inputs, std::size_t words) const {
  std::vector<float> values(words * width_);
  first_.apply(inputs, inputs_, words, values.data(), width_, tensor::Activation::kGelu);
  for (const Convolution& layer : convolutions_) convolve(layer, values, words);
  std::vector<float> out(words * labels());
  last_.apply(values.data(), width_, words, out.data(), labels());
  for (std::size_t w = 0; w < words; ++w) kernels_->softmax(out.data() + w * labels(), labels());
  return out;
}

namespace {

// Best label of each word: Viterbi over labels where "goes on" must follow the same type.
std::vector<std::size_t> best_path(std::span<const float> probabilities, std::size_t labels,
                                   const std::vector<bool>& breaks,
                                   const std::vector<bool>& multi_line) {
  constexpr float kFloor = 1e-9f, kNever = -std::numeric_limits<float>::max();
  const std::size_t words = probabilities.size() / labels;
  std::vector<std::uint8_t> from(words * labels, 0);
  std::vector<float> score(labels), next(labels);
  for (std::size_t w = 0; w < words; ++w) {
    const auto best =
        w == 0 ? 0 : static_cast<std::size_t>(std::ranges::max_element(score) - score.begin());
    for (std::size_t label = 0; label < labels; ++label) {
      const float gain = std::log(probabilities[w * labels + label] + kFloor);
      const bool goes_on = label > 0 && label % 2 == 0;
      std::size_t previous = best;
      if (goes_on) previous = w > 0 && score[label] > score[label - 1] ? label : label - 1;
      const bool valid = !goes_on || (w > 0 && (!breaks[w] || multi_line[(label - 1) / 2]) &&
                                      score[previous] > kNever / 2);
      next[label] = valid ? (w == 0 ? 0 : score[previous]) + gain : kNever;
      from[w * labels + label] = static_cast<std::uint8_t>(previous);
    }
    std::swap(score, next);
  }
  std::vector<std::size_t> path(words);
  std::size_t label =
      words == 0 ? 0 : static_cast<std::size_t>(std::ranges::max_element(score) - score.begin());
  for (std::size_t w = words; w-- > 0;) {
    path[w] = label;
    label = from[w * labels + label];
  }
  return path;
}

}  // namespace

std::vector<TaggedRun> TokenHead::read(std::span<const float> probabilities,
                                       const std::vector<bool>& breaks) const {
  const auto path = best_path(probabilities, labels(), breaks, multi_line_);
  std::vector<TaggedRun> runs;
  std::vector<float> logs;  // of the current run, summed
  for (std::size_t w = 0; w < path.size(); ++w) {
    if (path[w] == 0) continue;
    const std::size_t type = (path[w] - 1) / 2;
    const float* row = probabilities.data() + w * labels();
    const float log = std::log(std::max(row[1 + 2 * type] + row[2 + 2 * type], 1e-9f));
    if (path[w] % 2 == 1) {
      runs.push_back({w, w, type, 0});
      logs.push_back(0);
    }
    runs.back().end = w + 1;
    logs.back() += log;
  }
  for (std::size_t i = 0; i < runs.size(); ++i) {
    runs[i].confidence = std::exp(logs[i] / static_cast<float>(runs[i].end - runs[i].begin));
  }
  return runs;
}

}  // namespace signalbox::encoder
