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

// An adapter's low-rank updates of one layer.
class Bert::Updates {
 public:
  Updates(const Safetensors& file, std::size_t layer)
      : file_(file), prefix_("layer." + std::to_string(layer) + ".") {}

  // Reads the pair of a module, none where it has none. Errors: kCorrupt.
  Result<void> select(const std::string& module, std::size_t inputs, std::size_t outputs) {
    const Tensor* a = file_.find(prefix_ + module + ".a");
    rank_ = 0;
    if (a == nullptr) return {};
    if (a->shape.size() != 2 || a->shape[0] == 0 || a->shape[0] > limits::kLoraRankMax)
      return fail(Code::kCorrupt, "an adapter's update has no valid rank: " + module);
    const std::array<std::uint64_t, 2> a_shape{a->shape[0], inputs}, b_shape{outputs, a->shape[0]};
    SBX_TRY(a_, file_.floats(prefix_ + module + ".a", a_shape));
    SBX_TRY(b_, file_.floats(prefix_ + module + ".b", b_shape));
    rank_ = a->shape[0];
    return {};
  }
  // Adds the update of one output to its weights.
  void add_to(std::size_t output, std::vector<float>& weights) const {
    for (std::size_t r = 0; r < rank_; ++r) {
      const float factor = b_[output * rank_ + r];
      const float* from = a_.data() + r * weights.size();
      for (std::size_t i = 0; i < weights.size(); ++i) weights[i] += factor * from[i];
    }
  }

 private:
  const Safetensors& file_;
  std::string prefix_;
  std::size_t rank_ = 0;  // 0: the selected module has no update
  std::vector<float> a_, b_;
};

struct Bert::Part {
  std::size_t layer = 0;
  std::string module;
  std::size_t first_column = 0, columns = 0;
  float factor = 1;
};

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
  bert.prefix_ = file.find("embeddings.word_embeddings.weight") != nullptr ? "" : "bert.";
  SBX_CHECK_OK(bert.load_embeddings(file, bert.prefix_ + "embeddings."));
  for (std::size_t i = 0; i < config.layers; ++i) {
    SBX_TRY(Layer layer, bert.load_layer(file, i));
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

Result<void> Bert::load_linear(const Safetensors& file, const Part& part, Dense& linear,
                               const Updates* updates) const {
  const std::string name =
      prefix_ + "encoder.layer." + std::to_string(part.layer) + "." + part.module;
  const std::array<std::uint64_t, 2> shape{part.columns, linear.depth()};
  const std::array<std::uint64_t, 1> bias_shape{part.columns};
  SBX_TRY(const Tensor* weights, file.require(name + ".weight", shape));
  SBX_TRY(const auto bias, file.floats(name + ".bias", bias_shape));
  std::vector<float> row(linear.depth());
  for (std::size_t column = 0; column < part.columns; ++column) {
    SBX_CHECK_OK(weights->read(column * linear.depth(), row));
    if (updates != nullptr) updates->add_to(column, row);
    linear.set_output(part.first_column + column, row.data(), bias[column], part.factor);
  }
  return {};
}

Result<Bert::Layer> Bert::load_layer(const Safetensors& file, std::size_t index,
                                     Updates* updates) const {
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
  const auto load = [&](Dense& linear, const char* module, std::size_t first_column,
                        std::size_t columns, float factor) -> Result<void> {
    if (updates != nullptr) SBX_CHECK_OK(updates->select(module, linear.depth(), columns));
    return load_linear(file, {index, module, first_column, columns, factor}, linear, updates);
  };
  SBX_CHECK_OK(load(layer.qkv, "attention.self.query", 0, hidden, scale));
  SBX_CHECK_OK(load(layer.qkv, "attention.self.key", hidden, hidden, 1));
  SBX_CHECK_OK(load(layer.qkv, "attention.self.value", 2 * hidden, hidden, 1));
  SBX_CHECK_OK(load(layer.attended, "attention.output.dense", 0, hidden, 1));
  SBX_CHECK_OK(load(layer.inner, "intermediate.dense", 0, config_.inner, 1));
  SBX_CHECK_OK(load(layer.outer, "output.dense", 0, hidden, 1));
  const std::string prefix = prefix_ + "encoder.layer." + std::to_string(index) + ".";
  SBX_TRY(layer.attention_norm, load_norm(file, prefix + "attention.output.LayerNorm"));
  SBX_TRY(layer.output_norm, load_norm(file, prefix + "output.LayerNorm"));
  return layer;
}

Result<Bert::TopLayers> Bert::load_top(const Safetensors& updates) const {
  TopLayers top;
  top.first_ = config_.layers;
  for (std::size_t i = config_.layers; i-- > 0;) {
    const std::string prefix = "layer." + std::to_string(i) + ".";
    const auto& tensors = updates.tensors();
    const auto found = tensors.lower_bound(prefix);
    if (found != tensors.end() && found->first.starts_with(prefix)) top.first_ = i;
  }
  if (top.first_ == config_.layers)
    return fail(Code::kCorrupt, "an adapter updates no layer of this base");
  SBX_TRY(const auto file, Safetensors::parse(file_.bytes()));
  for (std::size_t i = top.first_; i < config_.layers; ++i) {
    Updates own(updates, i);
    SBX_TRY(Layer layer, load_layer(file, i, &own));
    top.layers_.push_back(std::move(layer));
  }
  file_.release_pages();
  return top;
}

}  // namespace signalbox::encoder
