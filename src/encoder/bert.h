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
#include "tensor/buffer.h"
#include "tensor/kernels.h"
#include "tensor/linear.h"

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

// Buffers of one forward pass; kept between calls.
struct BertScratch {
  tensor::Buffer hidden;  // [tokens][hidden], the output of the last layer
  tensor::Buffer
      means;  // [layers + 1][hidden], mean over tokens of each hidden state, embeddings first
  tensor::Buffer kept;     // [kept states][tokens][hidden], those that forward() was asked for
  tensor::Buffer qkv;      // [tokens][3 * hidden]
  tensor::Buffer context;  // [tokens][hidden]
  tensor::Buffer mixed;    // [tokens][hidden]
  tensor::Buffer inner;    // [tokens][inner]
  tensor::Buffer keys;     // one head's keys as panels
  tensor::Buffer scores;   // a block of query rows against all keys
};

class Bert {
 public:
  // Reads model.safetensors of the directory; tensor names with and without the prefix "bert.".
  // Errors: kIo, kCorrupt.
  static Result<Bert> load(const std::string& path, const BertConfig& config,
                           const tensor::Kernels& kernels = tensor::best_kernels());

  // One pass over 1..positions ids, each in 0..vocabulary-1, [CLS] and [SEP] included by the
  // caller. Fills scratch.hidden, scratch.means, and scratch.kept with the hidden states of `kept`
  // (0 is the embedding layer), in its order. Cost at 22M parameters, fp32, one Zen 4 core:
  // about 0.22 ms a token.
  void forward(std::span<const std::int32_t> ids, BertScratch& scratch,
               std::span<const std::size_t> kept = {}) const;

  const BertConfig& config() const { return config_; }
  const tensor::Kernels& kernels() const { return *kernels_; }
  const std::string& fingerprint() const { return fingerprint_; }

 private:
  struct Norm {
    std::vector<float> scale, shift;
  };
  struct Layer {
    tensor::Linear qkv, attended, inner, outer;
    Norm attention_norm, output_norm;
  };
  Bert() = default;
  Result<void> load_embeddings(const Safetensors& file, const std::string& prefix);
  Result<Layer> load_layer(const Safetensors& file, const std::string& prefix) const;
  Result<void> load_linear(const Safetensors& file, const std::string& name, tensor::Linear& linear,
                           std::size_t first_column, std::size_t columns, float factor) const;
  Result<Norm> load_norm(const Safetensors& file, const std::string& name) const;
  void embed(std::span<const std::int32_t> ids, BertScratch& scratch) const;
  void attend(std::size_t tokens, BertScratch& scratch) const;
  void keep_state(std::size_t state, std::size_t tokens, std::span<const std::size_t> kept,
                  BertScratch& scratch) const;
  void record_mean(std::size_t state, std::size_t tokens, BertScratch& scratch) const;

  BertConfig config_;
  const tensor::Kernels* kernels_ = nullptr;
  MappedFile file_;
  Tensor words_;                  // into file_
  std::vector<float> positions_;  // [positions][hidden], token type 0 added
  Norm embedding_norm_;
  std::vector<Layer> layers_;
  std::string fingerprint_;
};

}  // namespace signalbox::encoder
