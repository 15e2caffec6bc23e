// ModernBERT (Warner et al. 2024): norms before the layers, rotary positions, most layers seeing only a
// window, gated feed-forward.
#include <array>
#include <cmath>
#include <utility>

#include "base/assert.h"
#include "encoder/hub/attention.h"
#include "encoder/hub/rotary.h"
#include "encoder/hub/trunk.h"
#include "encoder/hub/trunk_parts.h"

namespace signalbox::encoder {
namespace {

using tensor::Kernels;
using tensor::Linear;

class ModernBert final : public Trunk {
 public:
  ModernBert(const HubConfig& config, WeightsPointer weights, std::size_t positions,
             const Kernels& kernels)
      : config_(config),
        weights_(std::move(weights)),
        kernels_(&kernels),
        global_(config.rope, config.head_width, positions),
        local_(config.local_rope, config.head_width, positions) {}
  Result<void> load();
  void forward(std::span<const std::int32_t> ids, TrunkScratch& scratch) const override;

 private:
  struct Layer {
    bool first = false;  // has no norm before attention: that of the embeddings was just applied
    bool local = false;
    LayerNorm attention_norm, inner_norm;
    Linear qkv, attended, inner, gate, outer;
  };
  Result<Layer> load_layer(std::size_t index) const;
  void run_attention(const Layer& layer, std::size_t tokens, TrunkScratch& scratch) const;
  void run_inner(const Layer& layer, std::size_t tokens, TrunkScratch& scratch) const;

  HubConfig config_;
  WeightsPointer weights_;
  const Kernels* kernels_;
  RotaryTable global_, local_;
  MatrixRows words_;
  LayerNorm embedding_norm_, final_norm_;
  std::vector<Layer> layers_;
};

Result<void> ModernBert::load() {
  const std::size_t hidden = config_.hidden;
  SBX_TRY(words_, weights_->matrix("embeddings.tok_embeddings", config_.vocabulary, hidden));
  SBX_TRY(embedding_norm_, LayerNorm::load(*weights_, "embeddings.norm", hidden));
  SBX_TRY(final_norm_, LayerNorm::load(*weights_, "final_norm", hidden));
  for (std::size_t i = 0; i < config_.layers; ++i) {
    SBX_TRY(Layer layer, load_layer(i));
    layers_.push_back(std::move(layer));
  }
  return {};
}

Result<ModernBert::Layer> ModernBert::load_layer(std::size_t index) const {
  const std::size_t hidden = config_.hidden, inner = config_.inner;
  const std::string prefix = "layers." + std::to_string(index) + ".";
  // The softmax scale goes into the queries once, here: turning keeps it.
  const float scale = 1.0f / std::sqrt(static_cast<float>(config_.head_width));
  const std::array<ModelWeights::Part, 2> qkv{
      ModelWeights::Part{prefix + "attn.Wqkv", 3 * hidden, 0, hidden, 0, scale},
      ModelWeights::Part{prefix + "attn.Wqkv", 3 * hidden, hidden, 2 * hidden, hidden, 1}};
  const std::array<ModelWeights::Part, 1> input{
      ModelWeights::Part{prefix + "mlp.Wi", 2 * inner, 0, inner, 0, 1}};
  const std::array<ModelWeights::Part, 1> gate{
      ModelWeights::Part{prefix + "mlp.Wi", 2 * inner, inner, inner, 0, 1}};
  Layer layer;
  layer.first = index == 0;
  layer.local = config_.local[index];
  if (!layer.first) {
    SBX_TRY(layer.attention_norm, LayerNorm::load(*weights_, prefix + "attn_norm", hidden));
  }
  SBX_TRY(layer.inner_norm, LayerNorm::load(*weights_, prefix + "mlp_norm", hidden));
  SBX_TRY(layer.qkv, weights_->linear(*kernels_, hidden, qkv));
  SBX_TRY(layer.attended, weights_->linear(*kernels_, prefix + "attn.Wo", hidden, hidden));
  SBX_TRY(layer.inner, weights_->linear(*kernels_, hidden, input));
  SBX_TRY(layer.gate, weights_->linear(*kernels_, hidden, gate));
  SBX_TRY(layer.outer, weights_->linear(*kernels_, prefix + "mlp.Wo", inner, hidden));
  return layer;
}

void ModernBert::run_attention(const Layer& layer, std::size_t tokens,
                               TrunkScratch& scratch) const {
  const std::size_t hidden = config_.hidden, width = config_.head_width;
  float* state = scratch.hidden.data();
  const float* input = state;
  if (!layer.first) {
    layer.attention_norm.apply(*kernels_, state, nullptr, config_.epsilon, tokens,
                               scratch.normed.data());
    input = scratch.normed.data();
  }
  float* qkv = scratch.qkv.data();
  layer.qkv.apply(input, hidden, tokens, qkv, 3 * hidden);
  const RotaryTable& rotary = layer.local ? local_ : global_;
  for (std::size_t t = 0; t < tokens; ++t) {
    float* row = qkv + t * 3 * hidden;
    for (std::size_t at = 0; at < 2 * hidden; at += width) rotary.turn(t, row + at);
  }
  const std::size_t reach = layer.local ? config_.window : tokens;
  attend(*kernels_,
         {.queries = qkv,
          .keys = qkv + hidden,
          .values = qkv + 2 * hidden,
          .stride = 3 * hidden,
          .tokens = tokens,
          .heads = config_.heads,
          .key_heads = config_.heads,
          .width = width,
          .before = reach,
          .behind = reach,
          .context = scratch.context.data()},
         scratch.keys, scratch.scores);
  layer.attended.apply(scratch.context.data(), hidden, tokens, scratch.mixed.data(), hidden);
  add_to(scratch.mixed.data(), tokens * hidden, state);
}

void ModernBert::run_inner(const Layer& layer, std::size_t tokens, TrunkScratch& scratch) const {
  const std::size_t hidden = config_.hidden, inner = config_.inner;
  float* state = scratch.hidden.data();
  float* normed = scratch.normed.data();
  layer.inner_norm.apply(*kernels_, state, nullptr, config_.epsilon, tokens, normed);
  float* values = scratch.inner.data();
  layer.inner.apply(normed, hidden, tokens, values, inner, tensor::Activation::kGelu);
  layer.gate.apply(normed, hidden, tokens, scratch.gate.data(), inner);
  const float* gate = scratch.gate.data();
  for (std::size_t i = 0; i < tokens * inner; ++i) values[i] *= gate[i];
  layer.outer.apply(values, inner, tokens, scratch.mixed.data(), hidden);
  add_to(scratch.mixed.data(), tokens * hidden, state);
}

void ModernBert::forward(std::span<const std::int32_t> ids, TrunkScratch& scratch) const {
  const std::size_t tokens = ids.size(), hidden = config_.hidden;
  SBX_ASSERT(tokens >= 1 && tokens <= global_.positions());
  scratch.hidden.resize(tokens * hidden);
  scratch.normed.resize(tokens * hidden);
  scratch.qkv.resize(tokens * 3 * hidden + Kernels::kPanel);
  scratch.context.resize(tokens * hidden);
  scratch.mixed.resize(tokens * hidden);
  scratch.inner.resize(tokens * config_.inner);
  scratch.gate.resize(tokens * config_.inner);
  float* state = scratch.hidden.data();
  embed(words_, ids, config_.vocabulary, hidden, state);
  embedding_norm_.apply(*kernels_, state, nullptr, config_.epsilon, tokens, state);
  for (const Layer& layer : layers_) {
    run_attention(layer, tokens, scratch);
    run_inner(layer, tokens, scratch);
  }
  final_norm_.apply(*kernels_, state, nullptr, config_.epsilon, tokens, state);
}

}  // namespace

Result<std::unique_ptr<const Trunk>> load_modern_bert(const HubConfig& config,
                                                      WeightsPointer weights, std::size_t positions,
                                                      const Kernels& kernels) {
  auto trunk = std::make_unique<ModernBert>(config, std::move(weights), positions, kernels);
  SBX_CHECK_OK(trunk->load());
  return trunk;
}

}  // namespace signalbox::encoder
