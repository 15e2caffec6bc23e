#include "encoder/hub/classifier_head.h"

#include <algorithm>
#include <cmath>

#include "base/limits.h"

namespace signalbox::encoder {
namespace {

// Labels are the rows of the classifier's matrix.
Result<std::size_t> label_count(const ModelWeights& weights, const std::string& name) {
  const auto shape = weights.shape(name + ".weight");
  if (shape.size() != 2)
    return fail(Code::kCorrupt, "tensor " + name + ".weight is missing or not a matrix");
  if (shape[0] == 0 || shape[0] > limits::kClassifierLabelsMax)
    return fail(Code::kCorrupt, "tensor " + name + ".weight has no labels or too many");
  return shape[0];
}

}  // namespace

Result<ClassifierHead> ClassifierHead::load(const HubConfig& config, HeadKind head_kind,
                                            const ModelWeights& weights,
                                            const tensor::Kernels& kernels) {
  ClassifierHead head;
  head.kernels_ = &kernels;
  head.hidden_ = config.hidden;
  std::string name = "classifier";
  switch (config.architecture) {
    case Architecture::kBert:
      SBX_CHECK_OK(head.load_bert(config, head_kind, weights));
      break;
    case Architecture::kModernBert:
      SBX_CHECK_OK(head.load_modern_bert(config, weights));
      break;
    case Architecture::kQwen3:
      head.pool_ = Pool::kLast;
      name = "score";
      break;
  }
  SBX_TRY(const std::size_t labels, label_count(weights, name));
  SBX_TRY(head.classifier_, weights.linear(kernels, name, config.hidden, labels));
  return head;
}

Result<void> ClassifierHead::load_bert(const HubConfig& config, HeadKind head_kind,
                                       const ModelWeights& weights) {
  pool_ = Pool::kFirst;
  if (head_kind != HeadKind::kSequence) return {};
  SBX_TRY(dense_, weights.linear(*kernels_, "pooler.dense", config.hidden, config.hidden));
  tanh_ = true;
  return {};
}

Result<void> ClassifierHead::load_modern_bert(const HubConfig& config,
                                              const ModelWeights& weights) {
  pool_ = config.mean_pooling ? Pool::kMean : Pool::kFirst;
  epsilon_ = config.epsilon;
  SBX_TRY(dense_, weights.linear(*kernels_, "head.dense", config.hidden, config.hidden));
  SBX_TRY(norm_, LayerNorm::load(weights, "head.norm", config.hidden));
  return {};
}

Result<ClassifierHead> ClassifierHead::of_tokens(const HubConfig& config,
                                                 std::span<const std::int32_t> tokens,
                                                 const ModelWeights& weights,
                                                 const tensor::Kernels& kernels) {
  ClassifierHead head;
  head.kernels_ = &kernels;
  head.hidden_ = config.hidden;
  head.pool_ = Pool::kLast;
  // Tied models store the output under the name of the input.
  const std::string name = weights.has("lm_head.weight") ? "lm_head" : "embed_tokens";
  std::vector<ModelWeights::Part> parts;
  for (const std::int32_t token : tokens) {
    if (token < 0 || static_cast<std::size_t>(token) >= config.vocabulary)
      return fail(Code::kCorrupt, "the token of a label is not in the vocabulary of the model");
    parts.push_back(
        {name, config.vocabulary, static_cast<std::uint64_t>(token), 1, parts.size(), 1});
  }
  SBX_TRY(head.classifier_, weights.linear(kernels, config.hidden, parts));
  return head;
}

std::vector<float> ClassifierHead::pooled(const float* states, std::size_t tokens) const {
  if (pool_ == Pool::kLast) states += (tokens - 1) * hidden_;
  std::vector<float> row(states, states + hidden_);
  if (pool_ != Pool::kMean) return row;
  for (std::size_t t = 1; t < tokens; ++t)
    kernels_->accumulate(states + t * hidden_, hidden_, row.data());
  for (float& value : row) value /= static_cast<float>(tokens);
  return row;
}

std::vector<float> ClassifierHead::prepared(std::span<const float> rows) const {
  if (!dense_) return {rows.begin(), rows.end()};
  const std::size_t count = rows.size() / hidden_;
  std::vector<float> out(rows.size());
  dense_->apply(rows.data(), hidden_, count, out.data(), hidden_,
                tanh_ ? tensor::Activation::kNone : tensor::Activation::kGelu);
  if (tanh_) std::ranges::transform(out, out.begin(), [](float x) { return std::tanh(x); });
  if (norm_) norm_->apply(*kernels_, out.data(), nullptr, epsilon_, count, out.data());
  return out;
}

std::vector<float> ClassifierHead::of_sequence(const float* states, std::size_t tokens) const {
  const auto row = prepared(pooled(states, tokens));
  std::vector<float> scores(labels());
  classifier_.apply(row.data(), hidden_, 1, scores.data(), scores.size());
  return scores;
}

std::vector<float> ClassifierHead::of_each(const float* states, std::size_t tokens) const {
  const auto rows = prepared({states, tokens * hidden_});
  std::vector<float> scores(tokens * labels());
  classifier_.apply(rows.data(), hidden_, tokens, scores.data(), labels());
  return scores;
}

}  // namespace signalbox::encoder
