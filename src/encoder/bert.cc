#include "encoder/bert.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/assert.h"
#include "base/limits.h"

namespace signalbox::encoder {

using tensor::Activation;
using tensor::Kernels;
using tensor::Linear;

Result<Bert> Bert::load(const std::string& path, const BertConfig& config, const Kernels& kernels) {
  Bert bert;
  bert.config_ = config;
  bert.kernels_ = &kernels;
  SBX_TRY(bert.file_, MappedFile::open(path, limits::kModelFileBytesMax));
  SBX_TRY(const auto file, Safetensors::parse(bert.file_.bytes()));
  const std::string prefix =
      file.find("embeddings.word_embeddings.weight") != nullptr ? "" : "bert.";
  SBX_CHECK_OK(bert.load_embeddings(file, prefix + "embeddings."));
  for (std::size_t i = 0; i < config.layers; ++i) {
    SBX_TRY(Layer layer,
            bert.load_layer(file, prefix + "encoder.layer." + std::to_string(i) + "."));
    bert.layers_.push_back(std::move(layer));
  }
  bert.fingerprint_ = file.fingerprint();
  // The packed copy is what the passes read; of the file only the words that occur.
  bert.file_.release_pages();
  return bert;
}

Result<void> Bert::load_embeddings(const Safetensors& file, const std::string& prefix) {
  const std::size_t hidden = config_.hidden;
  const std::array<std::uint64_t, 2> words{config_.vocabulary, hidden},
      positions{config_.positions, hidden}, types{config_.types, hidden};
  SBX_TRY(const Tensor* table, file.require(prefix + "word_embeddings.weight", words));
  std::vector<float> probe(1);
  SBX_CHECK_OK(table->read(0, probe));  // a dtype that rows can be read from
  words_ = *table;
  SBX_TRY(positions_, file.floats(prefix + "position_embeddings.weight", positions));
  SBX_TRY(const auto type, file.floats(prefix + "token_type_embeddings.weight", types));
  for (std::size_t i = 0; i < positions_.size(); ++i) positions_[i] += type[i % hidden];
  SBX_TRY(embedding_norm_, load_norm(file, prefix + "LayerNorm"));
  return {};
}

Result<Bert::Norm> Bert::load_norm(const Safetensors& file, const std::string& name) const {
  const std::array<std::uint64_t, 1> shape{config_.hidden};
  Norm norm;
  SBX_TRY(norm.scale, file.floats(name + ".weight", shape));
  SBX_TRY(norm.shift, file.floats(name + ".bias", shape));
  return norm;
}

Result<void> Bert::load_linear(const Safetensors& file, const std::string& name, Linear& linear,
                               std::size_t first_column, std::size_t columns, float factor) const {
  const std::array<std::uint64_t, 2> shape{columns, linear.depth()};
  const std::array<std::uint64_t, 1> bias_shape{columns};
  SBX_TRY(const Tensor* weights, file.require(name + ".weight", shape));
  SBX_TRY(const auto bias, file.floats(name + ".bias", bias_shape));
  std::vector<float> row(linear.depth());
  for (std::size_t column = 0; column < columns; ++column) {
    SBX_CHECK_OK(weights->read(column * linear.depth(), row));
    linear.set_output(first_column + column, row.data(), bias[column], factor);
  }
  return {};
}

Result<Bert::Layer> Bert::load_layer(const Safetensors& file, const std::string& prefix) const {
  const std::size_t hidden = config_.hidden;
  Layer layer;
  layer.qkv = Linear(*kernels_, hidden, 3 * hidden);
  layer.attended = Linear(*kernels_, hidden, hidden);
  layer.inner = Linear(*kernels_, hidden, config_.inner);
  layer.outer = Linear(*kernels_, config_.inner, hidden);
  // The softmax scale 1/sqrt(head width) goes into the queries once, here.
  const float scale = 1.0f / std::sqrt(static_cast<float>(hidden / config_.heads));
  SBX_CHECK_OK(load_linear(file, prefix + "attention.self.query", layer.qkv, 0, hidden, scale));
  SBX_CHECK_OK(load_linear(file, prefix + "attention.self.key", layer.qkv, hidden, hidden, 1));
  SBX_CHECK_OK(
      load_linear(file, prefix + "attention.self.value", layer.qkv, 2 * hidden, hidden, 1));
  SBX_CHECK_OK(load_linear(file, prefix + "attention.output.dense", layer.attended, 0, hidden, 1));
  SBX_CHECK_OK(load_linear(file, prefix + "intermediate.dense", layer.inner, 0, config_.inner, 1));
  SBX_CHECK_OK(load_linear(file, prefix + "output.dense", layer.outer, 0, hidden, 1));
  SBX_TRY(layer.attention_norm, load_norm(file, prefix + "attention.output.LayerNorm"));
  SBX_TRY(layer.output_norm, load_norm(file, prefix + "output.LayerNorm"));
  return layer;
}

void Bert::embed(std::span<const std::int32_t> ids, BertScratch& scratch) const {
  const std::size_t hidden = config_.hidden;
  for (std::size_t t = 0; t < ids.size(); ++t) {
    SBX_ASSERT(ids[t] >= 0 && static_cast<std::size_t>(ids[t]) < config_.vocabulary);
    float* row = scratch.hidden.data() + t * hidden;
    const auto read = words_.read(static_cast<std::uint64_t>(ids[t]) * hidden, {row, hidden});
    SBX_ASSERT(read.has_value());
    kernels_->layer_norm(row, &positions_[t * hidden], embedding_norm_.scale.data(),
                         embedding_norm_.shift.data(), config_.epsilon, hidden, row);
  }
}

// softmax(Q K^T) V per head, from scratch.qkv to scratch.context. Query rows go in blocks so that
// their scores stay in the first-level cache.
void Bert::attend(std::size_t tokens, BertScratch& scratch) const {
  constexpr std::size_t kBlock = 12;
  const std::size_t hidden = config_.hidden, width = hidden / config_.heads, stride = 3 * hidden;
  const std::size_t padded = tensor::round_up(tokens, Kernels::kPanel);
  scratch.keys.resize_zeroed(padded * width);
  scratch.scores.resize(kBlock * padded);
  for (std::size_t head = 0; head < config_.heads; ++head) {
    const float* queries = scratch.qkv.data() + head * width;
    const float* keys = queries + hidden;
    const float* values = keys + hidden;
    float* packed = scratch.keys.data();
    for (std::size_t t = 0; t < tokens; ++t) {
      float* to = packed + t / Kernels::kPanel * width * Kernels::kPanel + t % Kernels::kPanel;
      for (std::size_t k = 0; k < width; ++k) to[k * Kernels::kPanel] = keys[t * stride + k];
    }
    for (std::size_t row = 0; row < tokens; row += kBlock) {
      const std::size_t rows = std::min(kBlock, tokens - row);
      kernels_->gemm({.a = queries + row * stride,
                      .a_stride = stride,
                      .b = packed,
                      .b_row_stride = Kernels::kPanel,
                      .b_panel_stride = width * Kernels::kPanel,
                      .c = scratch.scores.data(),
                      .c_stride = padded,
                      .rows = rows,
                      .depth = width,
                      .columns = padded});
      for (std::size_t r = 0; r < rows; ++r)
        kernels_->softmax(scratch.scores.data() + r * padded, tokens);
      kernels_->gemm({.a = scratch.scores.data(),
                      .a_stride = padded,
                      .b = values,
                      .b_row_stride = stride,
                      .b_panel_stride = Kernels::kPanel,
                      .c = scratch.context.data() + row * hidden + head * width,
                      .c_stride = hidden,
                      .rows = rows,
                      .depth = tokens,
                      .columns = width});
    }
  }
}

void Bert::record_mean(std::size_t state, std::size_t tokens, BertScratch& scratch) const {
  float* mean = scratch.means.data() + state * config_.hidden;
  std::fill_n(mean, config_.hidden, 0.0f);
  for (std::size_t t = 0; t < tokens; ++t) {
    kernels_->accumulate(scratch.hidden.data() + t * config_.hidden, config_.hidden, mean);
  }
  for (std::size_t i = 0; i < config_.hidden; ++i) mean[i] /= static_cast<float>(tokens);
}

void Bert::keep_state(std::size_t state, std::size_t tokens, std::span<const std::size_t> kept,
                      BertScratch& scratch) const {
  for (std::size_t i = 0; i < kept.size(); ++i) {
    if (kept[i] != state) continue;
    std::copy_n(scratch.hidden.data(), tokens * config_.hidden,
                scratch.kept.data() + i * tokens * config_.hidden);
  }
}

void Bert::forward(std::span<const std::int32_t> ids, BertScratch& scratch,
                   std::span<const std::size_t> kept) const {
  const std::size_t tokens = ids.size(), hidden = config_.hidden, inner = config_.inner;
  SBX_ASSERT(tokens >= 1 && tokens <= config_.positions);
  scratch.hidden.resize(tokens * hidden);
  scratch.means.resize((config_.layers + 1) * hidden);
  scratch.qkv.resize(tokens * 3 * hidden +
                     Kernels::kPanel);  // the last panel of values may be read past its end
  scratch.context.resize(tokens * hidden);
  scratch.mixed.resize(tokens * hidden);
  scratch.inner.resize(tokens * inner);
  scratch.kept.resize(kept.size() * tokens * hidden);
  embed(ids, scratch);
  record_mean(0, tokens, scratch);
  keep_state(0, tokens, kept, scratch);
  const auto norm = [&](const Norm& weights) {
    for (std::size_t t = 0; t < tokens; ++t) {
      float* state = scratch.hidden.data() + t * hidden;
      kernels_->layer_norm(scratch.mixed.data() + t * hidden, state, weights.scale.data(),
                           weights.shift.data(), config_.epsilon, hidden, state);
    }
  };
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    const Layer& layer = layers_[i];
    layer.qkv.apply(scratch.hidden.data(), hidden, tokens, scratch.qkv.data(), 3 * hidden);
    attend(tokens, scratch);
    layer.attended.apply(scratch.context.data(), hidden, tokens, scratch.mixed.data(), hidden);
    norm(layer.attention_norm);
    layer.inner.apply(scratch.hidden.data(), hidden, tokens, scratch.inner.data(), inner,
                      Activation::kGelu);
    layer.outer.apply(scratch.inner.data(), inner, tokens, scratch.mixed.data(), hidden);
    norm(layer.output_norm);
    record_mean(i + 1, tokens, scratch);
    keep_state(i + 1, tokens, kept, scratch);
  }
}

}  // namespace signalbox::encoder
