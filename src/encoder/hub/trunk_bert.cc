// BERT (Devlin et al. 2018) in fp32 for classifiers of model hubs: learnt positions, norms behind the
// residuals. The shipped trunk (encoder/bert.h) does the same with weights packed for its own kernels.
#include <array>
#include <cmath>
#include <utility>

#include "base/assert.h"
#include "encoder/hub/attention.h"
#include "encoder/hub/trunk.h"
#include "encoder/hub/trunk_parts.h"

namespace signalbox::encoder {
namespace {

using tensor::Kernels;
using tensor::Linear;

class BertTrunk final : public Trunk {
 public:
  BertTrunk(const HubConfig& config, WeightsPointer weights, const Kernels& kernels)
      : config_(config), weights_(std::move(weights)), kernels_(&kernels) {}
  Result<void> load();
  void forward(std::span<const std::int32_t> ids, TrunkScratch& scratch) const override;

 private:
  struct Layer {
    Linear qkv, attended, inner, outer;
    LayerNorm attention_norm, output_norm;
  };
  Result<void> load_embeddings();
  Result<Layer> load_layer(const std::string& prefix) const;

  HubConfig config_;
  WeightsPointer weights_;
  const Kernels* kernels_;
  MatrixRows words_;
  std::vector<float> positions_;  // [positions][hidden], token type 0 added
  LayerNorm embedding_norm_;
  std::vector<Layer> layers_;
};

Result<void> BertTrunk::load() {
  SBX_CHECK_OK(load_embeddings());
  for (std::size_t i = 0; i < config_.layers; ++i) {
    SBX_TRY(Layer layer, load_layer("encoder.layer." + std::to_string(i) + "."));
    layers_.push_back(std::move(layer));
  }
  return {};
}

Result<void> BertTrunk::load_embeddings() {
  const std::size_t hidden = config_.hidden;
  const std::array<std::uint64_t, 2> positions{config_.positions, hidden},
      types{config_.types, hidden};
  SBX_TRY(words_, weights_->matrix("embeddings.word_embeddings", config_.vocabulary, hidden));
  SBX_TRY(positions_, weights_->floats("embeddings.position_embeddings.weight", positions));
  SBX_TRY(const auto type, weights_->floats("embeddings.token_type_embeddings.weight", types));
  for (std::size_t i = 0; i < positions_.size(); ++i) positions_[i] += type[i % hidden];
  SBX_TRY(embedding_norm_, LayerNorm::load(*weights_, "embeddings.LayerNorm", hidden));
  return {};
}

Result<BertTrunk::Layer> BertTrunk::load_layer(const std::string& prefix) const {
  const std::size_t hidden = config_.hidden;
  const float scale = 1.0f / std::sqrt(static_cast<float>(config_.head_width));
  const std::string self = prefix + "attention.self.";
  const std::array<ModelWeights::Part, 3> qkv{
      ModelWeights::Part{self + "query", hidden, 0, hidden, 0, scale},
      ModelWeights::Part{self + "key", hidden, 0, hidden, hidden, 1},
      ModelWeights::Part{self + "value", hidden, 0, hidden, 2 * hidden, 1}};
  Layer layer;
  SBX_TRY(layer.qkv, weights_->linear(*kernels_, hidden, qkv));
  SBX_TRY(layer.attended,
          weights_->linear(*kernels_, prefix + "attention.output.dense", hidden, hidden));
  SBX_TRY(layer.inner,
          weights_->linear(*kernels_, prefix + "intermediate.dense", hidden, config_.inner));
  SBX_TRY(layer.outer, weights_->linear(*kernels_, prefix + "output.dense", config_.inner, hidden));
  SBX_TRY(layer.attention_norm,
          LayerNorm::load(*weights_, prefix + "attention.output.LayerNorm", hidden));
  SBX_TRY(layer.output_norm, LayerNorm::load(*weights_, prefix + "output.LayerNorm", hidden));
  return layer;
}

void BertTrunk::forward(std::span<const std::int32_t> ids, TrunkScratch& scratch) const {
  const std::size_t tokens = ids.size(), hidden = config_.hidden, inner = config_.inner;
  SBX_ASSERT(tokens >= 1 && tokens <= config_.positions);
  scratch.hidden.resize(tokens * hidden);
  scratch.qkv.resize(tokens * 3 * hidden + Kernels::kPanel);
  scratch.context.resize(tokens * hidden);
  scratch.mixed.resize(tokens * hidden);
  scratch.inner.resize(tokens * inner);
  float* state = scratch.hidden.data();
  embed(words_, ids, config_.vocabulary, hidden, state);
  embedding_norm_.apply(*kernels_, state, positions_.data(), config_.epsilon, tokens, state);
  const float* qkv = scratch.qkv.data();
  for (const Layer& layer : layers_) {
    layer.qkv.apply(state, hidden, tokens, scratch.qkv.data(), 3 * hidden);
    attend(*kernels_,
           {.queries = qkv,
            .keys = qkv + hidden,
            .values = qkv + 2 * hidden,
            .stride = 3 * hidden,
            .tokens = tokens,
            .heads = config_.heads,
            .key_heads = config_.heads,
            .width = config_.head_width,
            .before = tokens,
            .behind = tokens,
            .context = scratch.context.data()},
           scratch.keys, scratch.scores);
    float* mixed = scratch.mixed.data();
    layer.attended.apply(scratch.context.data(), hidden, tokens, mixed, hidden);
    layer.attention_norm.apply(*kernels_, mixed, state, config_.epsilon, tokens, state);
    layer.inner.apply(state, hidden, tokens, scratch.inner.data(), inner,
                      tensor::Activation::kGelu);
    layer.outer.apply(scratch.inner.data(), inner, tokens, mixed, hidden);
    layer.output_norm.apply(*kernels_, mixed, state, config_.epsilon, tokens, state);
  }
}

}  // namespace

Result<std::unique_ptr<const Trunk>> load_bert(const HubConfig& config, WeightsPointer weights,
                                               const Kernels& kernels) {
  auto trunk = std::make_unique<BertTrunk>(config, std::move(weights), kernels);
  SBX_CHECK_OK(trunk->load());
  return trunk;
}

}  // namespace signalbox::encoder
