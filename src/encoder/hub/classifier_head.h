// The head of a classifier of a model hub: from last hidden states to a score per label.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "encoder/hub/hub_config.h"
#include "encoder/hub/model_weights.h"
#include "encoder/hub/trunk_parts.h"
#include "tensor/buffer.h"
#include "tensor/linear.h"

namespace signalbox::encoder {

class ClassifierHead {
 public:
  // As the classes of the reference library build it: BERT's pooler, ModernBERT's dense and norm, Qwen3's
  // score. Errors: kCorrupt (tensors missing or of other shapes).
  static Result<ClassifierHead> load(const HubConfig& config, HeadKind head_kind,
                                     const ModelWeights& weights, const tensor::Kernels& kernels);
  // Scores by the language model's own output for one token a label.
  static Result<ClassifierHead> of_tokens(const HubConfig& config,
                                          std::span<const std::int32_t> tokens,
                                          const ModelWeights& weights,
                                          const tensor::Kernels& kernels);

  std::size_t labels() const { return classifier_.columns(); }
  // Scores of a text from the hidden states of its tokens, [tokens][hidden]; tokens >= 1.
  std::vector<float> of_sequence(const float* states, std::size_t tokens) const;
  // Scores of each token, [tokens][labels].
  std::vector<float> of_each(const float* states, std::size_t tokens) const;

 private:
  enum class Pool : std::uint8_t { kFirst, kMean, kLast };
  Result<void> load_bert(const HubConfig& config, HeadKind head_kind, const ModelWeights& weights);
  Result<void> load_modern_bert(const HubConfig& config, const ModelWeights& weights);
  std::vector<float> pooled(const float* states, std::size_t tokens) const;
  // Rows through the layer before the classifier, if there is one.
  std::vector<float> prepared(std::span<const float> rows) const;

  const tensor::Kernels* kernels_ = nullptr;
  std::size_t hidden_ = 0;
  Pool pool_ = Pool::kFirst;
  std::optional<tensor::Linear> dense_;
  bool tanh_ = false;              // BERT's pooler; else GELU and the norm
  std::optional<LayerNorm> norm_;  // of ModernBERT
  float epsilon_ = 0;
  tensor::Linear classifier_;
};

}  // namespace signalbox::encoder
