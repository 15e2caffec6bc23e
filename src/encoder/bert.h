// The BERT encoder (Devlin et al. 2018): embeddings, then layers of self-attention and
// feed-forward, each with residual and LayerNorm. Weights are packed for this CPU's kernels at
// load; the word embedding table stays in the mapped file.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "encoder/mapped_file.h"
#include "encoder/safetensors.h"
#include "tensor/activations.h"
#include "tensor/buffer.h"
#include "tensor/crew.h"
#include "tensor/dense.h"
#include "tensor/kernels.h"

namespace signalbox::encoder {

struct BertConfig {
  std::size_t layers = 0;
  std::size_t hidden = 0;
  std::size_t heads = 0;
  std::size_t inner = 0;      // width of the feed-forward layer
  std::size_t positions = 0;  // longest input, [CLS] and [SEP] included
  std::size_t vocabulary = 0;
  std::size_t types = 0;
  float epsilon = 1e-12f;  // of LayerNorm

  // From config.json. Errors: kCorrupt (missing or absurd numbers), kUnsupported (not a BERT with
  // erf GELU and absolute positions).
  static Result<BertConfig> parse(std::string_view config_json);
};

// Tokens whose hidden states are added up before the sums are: makes a mean the same for any crew.
inline constexpr std::size_t kMeanBlock = 8;

// Buffers of one forward pass; kept between calls, and between models.
struct BertScratch {
  tensor::Buffer hidden;  // [tokens][hidden], the output of the last layer
  tensor::Buffer
      means;  // [layers + 1][hidden], mean over tokens of each hidden state, embeddings first
  tensor::Buffer kept;  // [kept states][tokens][hidden], those that forward() was asked for
  tensor::Buffer
      sums;  // [layers + 1][blocks of kMeanBlock tokens][hidden]: what the means are made of
  tensor::Crew* crew = nullptr;  // who may help with long inputs; null: nobody

  // What follows is of use to the pass alone.
  std::span<const std::size_t> kept_states;
  tensor::Activations input, context, inner;  // of a layer, of attended, of the second feed-forward
  tensor::Buffer qkv[2];       // [tokens][3 * hidden], bf16 or floats; layers take turns
  tensor::Buffer mixed;        // [tokens][hidden]
  struct Own {                 // one for each member of the crew
    tensor::Buffer attention;  // keys, values, scores of the head at hand
    tensor::Buffer rows;       // a block of rows between two products
  };
  std::vector<Own> own;
};

class Bert {
 public:
  // Reads model.safetensors of the directory; tensor names with and without the prefix "bert.".
  // Errors: kIo, kCorrupt.
  static Result<Bert> load(const std::string& path, const BertConfig& config,
                           const tensor::Format& format = {});

  // One pass over 1..positions ids, each in 0..vocabulary-1, [CLS] and [SEP] included by the
  // caller. Fills scratch.hidden, scratch.means, and scratch.kept with the hidden states of `kept`
  // (0 is the embedding layer), in its order; the result does not depend on the size of the crew.
  // Cost: docs/benchmarks.md, encoder.
  void forward(std::span<const std::int32_t> ids, BertScratch& scratch,
               std::span<const std::size_t> kept = {}) const;

  // Copies of the top layers with an adapter merged into their weights.
  class TopLayers;
  // Reads low-rank updates: tensors layer.N.MODULE.a [rank, inputs] and .b [outputs, rank], N from
  // the first adapted layer to the last layer, MODULE named as in BERT's files. A module without
  // them keeps the base's weights. Cost: about 20 ms a layer. Errors: kCorrupt.
  Result<TopLayers> load_top(const Safetensors& updates) const;
  // The rest of a pass that forward() made over `tokens` tokens and that kept the state
  // top.first_layer() as kept number `kept_index`: replaces scratch.hidden and the means above that
  // state. Call it once what forward() left there is read; cost: the layers' share of a pass.
  void forward_top(const TopLayers& top, std::size_t tokens, std::size_t kept_index,
                   BertScratch& scratch) const;

  const BertConfig& config() const { return config_; }
  const tensor::Kernels& kernels() const { return *format_.kernels; }
  const tensor::Format& format() const { return format_; }
  // Kernels and number format in words, such as "avx512-int8".
  const std::string& format_name() const { return format_name_; }
  const std::string& fingerprint() const { return fingerprint_; }

 private:
  struct Norm {
    std::vector<float> scale, shift;
  };
  struct Layer {
    tensor::Dense qkv, attended, inner, outer;
    Norm attention_norm, output_norm;
  };
  class Pass;
  class Updates;
  Bert() = default;
  Result<void> load_embeddings(const Safetensors& file, const std::string& prefix);
  // `updates`, unless null, are added to the layer's weights.
  Result<Layer> load_layer(const Safetensors& file, std::size_t index,
                           Updates* updates = nullptr) const;
  struct Part;  // the outputs of a linear layer that one tensor holds
  Result<void> load_linear(const Safetensors& file, const Part& part, tensor::Dense& linear,
                           const Updates* updates) const;
  Result<Norm> load_norm(const Safetensors& file, const std::string& name) const;
  // Whether queries, keys and values are bf16, for the kernel; floats otherwise.
  bool attends_in_bf16() const {
    return format_.precision != tensor::Precision::kF32 && format_.dot->has_bf16();
  }

  BertConfig config_;
  tensor::Format format_;
  std::string format_name_;
  // What goes into the lowest of a pass's layers: the embeddings of ids, or a finished state.
  struct Source {
    std::span<const std::int32_t> ids;
    const float* state = nullptr;  // [tokens][hidden]
  };
  // A pass through `layers`, of which the lowest is number `first`.
  void run_layers(std::span<const Layer> layers, std::size_t first, std::size_t tokens,
                  const Source& source, BertScratch& scratch) const;

  MappedFile file_;
  std::string prefix_;            // of the tensors' names
  Tensor words_;                  // into file_
  std::vector<float> positions_;  // [positions][hidden], token type 0 added
  Norm embedding_norm_;
  std::vector<Layer> layers_;
  std::string fingerprint_;
};

// Immutable. Memory: as much as the layers of the base that it stands for.
class Bert::TopLayers {
 public:
  std::size_t first_layer() const { return first_; }
  std::size_t layers() const { return layers_.size(); }

 private:
  friend class Bert;
  std::size_t first_ = 0;
  std::vector<Layer> layers_;
};

}  // namespace signalbox::encoder
