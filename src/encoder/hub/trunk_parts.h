// What several transformers share: norms, word embeddings, sums.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "encoder/hub/model_weights.h"
#include "tensor/kernels.h"

namespace signalbox::encoder {

// Weights of a LayerNorm over `scale.size()` floats.
struct LayerNorm {
  std::vector<float> scale, shift;

  // The shift may be missing in the model: then it is 0.
  static Result<LayerNorm> load(const ModelWeights& weights, const std::string& name,
                                std::uint64_t count);
  // out = norm(x + residual) row by row; residual may be null, out may be x.
  void apply(const tensor::Kernels& kernels, const float* x, const float* residual, float epsilon,
             std::size_t rows, float* out) const;
};

// x / sqrt(mean(x^2) + epsilon) * scale over one row of scale.size() floats; out may be x.
void rms_norm(const float* x, std::span<const float> scale, float epsilon, float* out);

// to += from
void add_to(const float* from, std::size_t count, float* to);

// Rows of the word embeddings into `to`, [ids][columns]. Ids are checked by the caller's caller.
void embed(const MatrixRows& words, std::span<const std::int32_t> ids, std::size_t vocabulary,
           std::size_t columns, float* to);

}  // namespace signalbox::encoder
