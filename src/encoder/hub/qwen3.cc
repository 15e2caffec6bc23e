// Qwen3 (2025), decoder only: each token sees those before it. RMSNorm before the layers and on each head
// of queries and keys, rotary positions, several query heads a key head, gated feed-forward.
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

float silu(float x) { return x / (1.0f + std::exp(-x)); }

class Qwen3 final : public Trunk {
 public:
  Qwen3(const HubConfig& config, WeightsPointer weights, std::size_t positions,
        const Kernels& kernels)
      : config_(config),
        weights_(std::move(weights)),
        kernels_(&kernels),
        queries_(config.heads * config.head_width),
        keys_(config.key_heads * config.head_width),
        rotary_(config.rope, config.head_width, positions) {}
  Result<void> load();
  void forward(std::span<const std::int32_t> ids, TrunkScratch& scratch) const override;

 private:
  struct Layer {
    bool local = false;
    std::vector<float> input_norm, inner_norm;
    std::vector<float> query_norm;  // times the softmax scale
    std::vector<float> key_norm;
    Linear qkv, attended, inner, gate, outer;
  };
  Result<Layer> load_layer(std::size_t index) const;
  std::size_t stride() const { return queries_ + 2 * keys_; }
  void norm_rows(const std::vector<float>& scale, std::size_t tokens, const float* from,
                 float* to) const;
  void turn_heads(const Layer& layer, std::size_t tokens, float* qkv) const;
  void run_attention(const Layer& layer, std::size_t tokens, TrunkScratch& scratch) const;
  void run_inner(const Layer& layer, std::size_t tokens, TrunkScratch& scratch) const;

  HubConfig config_;
  WeightsPointer weights_;
  const Kernels* kernels_;
  std::size_t queries_, keys_;  // widths of all heads
  RotaryTable rotary_;
  MatrixRows words_;
  std::vector<float> final_norm_;
  std::vector<Layer> layers_;
};

Result<void> Qwen3::load() {
  const std::array<std::uint64_t, 1> hidden{config_.hidden};
  SBX_TRY(words_, weights_->matrix("embed_tokens", config_.vocabulary, config_.hidden));
  SBX_TRY(final_norm_, weights_->floats("norm.weight", hidden));
  for (std::size_t i = 0; i < config_.layers; ++i) {
    SBX_TRY(Layer layer, load_layer(i));
    layers_.push_back(std::move(layer));
  }
  return {};
}

Result<Qwen3::Layer> Qwen3::load_layer(std::size_t index) const {
  const std::size_t hidden = config_.hidden, inner = config_.inner;
  const std::string prefix = "layers." + std::to_string(index) + ".", self = prefix + "self_attn.";
  const std::array<ModelWeights::Part, 3> qkv{
      ModelWeights::Part{self + "q_proj", queries_, 0, queries_, 0, 1},
      ModelWeights::Part{self + "k_proj", keys_, 0, keys_, queries_, 1},
      ModelWeights::Part{self + "v_proj", keys_, 0, keys_, queries_ + keys_, 1}};
  const std::array<std::uint64_t, 1> row{hidden}, head{config_.head_width};
  Layer layer;
  layer.local = config_.local[index];
  SBX_TRY(layer.input_norm, weights_->floats(prefix + "input_layernorm.weight", row));
  SBX_TRY(layer.inner_norm, weights_->floats(prefix + "post_attention_layernorm.weight", row));
  SBX_TRY(layer.query_norm, weights_->floats(self + "q_norm.weight", head));
  SBX_TRY(layer.key_norm, weights_->floats(self + "k_norm.weight", head));
  const float scale = 1.0f / std::sqrt(static_cast<float>(config_.head_width));
  for (float& value : layer.query_norm) value *= scale;
  SBX_TRY(layer.qkv, weights_->linear(*kernels_, hidden, qkv));
  SBX_TRY(layer.attended, weights_->linear(*kernels_, self + "o_proj", queries_, hidden));
  SBX_TRY(layer.gate, weights_->linear(*kernels_, prefix + "mlp.gate_proj", hidden, inner));
  SBX_TRY(layer.inner, weights_->linear(*kernels_, prefix + "mlp.up_proj", hidden, inner));
  SBX_TRY(layer.outer, weights_->linear(*kernels_, prefix + "mlp.down_proj", inner, hidden));
  return layer;
}

void Qwen3::norm_rows(const std::vector<float>& scale, std::size_t tokens, const float* from,
                      float* to) const {
  for (std::size_t t = 0; t < tokens; ++t)
    rms_norm(from + t * config_.hidden, scale, config_.epsilon, to + t * config_.hidden);
}

void Qwen3::turn_heads(const Layer& layer, std::size_t tokens, float* qkv) const {
  const std::size_t width = config_.head_width;
  for (std::size_t t = 0; t < tokens; ++t) {
    float* row = qkv + t * stride();
    for (std::size_t at = 0; at < queries_ + keys_; at += width) {
      const auto& norm = at < queries_ ? layer.query_norm : layer.key_norm;
      rms_norm(row + at, norm, config_.epsilon, row + at);
      rotary_.turn(t, row + at);
    }
  }
}

void Qwen3::run_attention(const Layer& layer, std::size_t tokens, TrunkScratch& scratch) const {
  const std::size_t hidden = config_.hidden;
  float* state = scratch.hidden.data();
  float* qkv = scratch.qkv.data();
  norm_rows(layer.input_norm, tokens, state, scratch.normed.data());
  layer.qkv.apply(scratch.normed.data(), hidden, tokens, qkv, stride());
  turn_heads(layer, tokens, qkv);
  attend(*kernels_,
         {.queries = qkv,
          .keys = qkv + queries_,
          .values = qkv + queries_ + keys_,
          .stride = stride(),
          .tokens = tokens,
          .heads = config_.heads,
          .key_heads = config_.key_heads,
          .width = config_.head_width,
          .before = layer.local ? config_.window : tokens,
          .behind = 0,
          .context = scratch.context.data()},
         scratch.keys, scratch.scores);
  layer.attended.apply(scratch.context.data(), queries_, tokens, scratch.mixed.data(), hidden);
  add_to(scratch.mixed.data(), tokens * hidden, state);
}

void Qwen3::run_inner(const Layer& layer, std::size_t tokens, TrunkScratch& scratch) const {
  const std::size_t hidden = config_.hidden, inner = config_.inner;
  float* state = scratch.hidden.data();
  float* normed = scratch.normed.data();
  norm_rows(layer.inner_norm, tokens, state, normed);
  float* values = scratch.inner.data();
  layer.inner.apply(normed, hidden, tokens, values, inner);
  layer.gate.apply(normed, hidden, tokens, scratch.gate.data(), inner);
  const float* gate = scratch.gate.data();
  for (std::size_t i = 0; i < tokens * inner; ++i) values[i] *= silu(gate[i]);
  layer.outer.apply(values, inner, tokens, scratch.mixed.data(), hidden);
  add_to(scratch.mixed.data(), tokens * hidden, state);
}

void Qwen3::forward(std::span<const std::int32_t> ids, TrunkScratch& scratch) const {
  const std::size_t tokens = ids.size(), hidden = config_.hidden;
  SBX_ASSERT(tokens >= 1 && tokens <= rotary_.positions());
  scratch.hidden.resize(tokens * hidden);
  scratch.normed.resize(tokens * hidden);
  scratch.qkv.resize(tokens * stride() + Kernels::kPanel);
  scratch.context.resize(tokens * queries_);
  scratch.mixed.resize(tokens * hidden);
  scratch.inner.resize(tokens * config_.inner);
  scratch.gate.resize(tokens * config_.inner);
  float* state = scratch.hidden.data();
  embed(words_, ids, config_.vocabulary, hidden, state);
  for (const Layer& layer : layers_) {
    run_attention(layer, tokens, scratch);
    run_inner(layer, tokens, scratch);
  }
  norm_rows(final_norm_, tokens, state, state);
}

}  // namespace

Result<std::unique_ptr<const Trunk>> load_qwen3(const HubConfig& config, WeightsPointer weights,
                                                std::size_t positions, const Kernels& kernels) {
  auto trunk = std::make_unique<Qwen3>(config, std::move(weights), positions, kernels);
  SBX_CHECK_OK(trunk->load());
  return trunk;
}

}  // namespace signalbox::encoder
