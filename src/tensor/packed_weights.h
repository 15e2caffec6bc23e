// The weights of a linear layer in bf16 or int8, packed once at load for the dot kernels.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/buffer.h"
#include "tensor/dot_kernels.h"
#include "tensor/precision.h"

namespace signalbox::tensor {

class PackedWeights {
 public:
  PackedWeights() = default;
  // Room for a layer from `depth` inputs to `columns` outputs, all weights and biases 0. `precision`
  // is kBf16 or kInt8.
  PackedWeights(Precision precision, std::size_t depth, std::size_t columns);
  // Weights of one output, as a row of the [out, in] matrix of model files; all and the bias are
  // scaled by `factor`. In int8 the largest weight of the output becomes 127.
  void set_output(std::size_t column, const float* weights, float bias, float factor = 1.0f);

  // The product with these weights; what concerns A and C is left to the caller.
  Product product() const;

  Precision precision() const { return precision_; }
  std::size_t depth() const { return depth_; }
  std::size_t columns() const { return columns_; }

 private:
  void set_int8(std::size_t column, const float* weights, float factor);
  void set_bf16(std::size_t column, const float* weights, float factor);

  Precision precision_ = Precision::kBf16;
  std::size_t depth_ = 0;
  std::size_t columns_ = 0;
  std::size_t groups_ = 0;
  Buffer panels_;  // groups as in dot_kernels.h
  Buffer bias_, scale_, sum_;
};

}  // namespace signalbox::tensor
