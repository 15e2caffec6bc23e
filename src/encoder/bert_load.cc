#include <fmt/format.h>

#include <array>
#include <cmath>
#include <numbers>

#include "base/assert.h"
#include "base/limits.h"
#include "encoder/bert.h"

namespace signalbox::encoder {

using tensor::Dense;
using tensor::Format;

Result<Bert> Bert::load(const std::string& path, const BertConfig& config, const Format& format) {
  Bert bert;
  bert.config_ = config;
  bert.format_ = format;
  bert.format_name_ =
      format.precision == tensor::Precision::kF32
          ? std::string(format.kernels->name)
          : fmt::format("{}-{}", format.dot->name, tensor::precision_name(format.precision));
  SBX_ASSERT(format.precision != tensor::Precision::kBf16 || format.dot->has_bf16());
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

Result<void> Bert::load_linear(const Safetensors& file, const std::string& name, Dense& linear,
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
  layer.qkv = Dense(format_, hidden, 3 * hidden);
  layer.attended = Dense(format_, hidden, hidden);
  layer.inner = Dense(format_, hidden, config_.inner);
  layer.outer = Dense(format_, config_.inner, hidden);
  // The softmax scale 1/sqrt(head width) goes into the queries once, here, and with it the base of
  // the kernel's exponentials.
  const float scale = (attends_in_bf16() ? std::numbers::log2e_v<float> : 1.0f) /
                      std::sqrt(static_cast<float>(hidden / config_.heads));
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

}  // namespace signalbox::encoder
