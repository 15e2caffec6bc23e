// A linear layer in any precision, over Activations.
#pragma once

#include <cstddef>

#include "tensor/activations.h"
#include "tensor/kernels.h"
#include "tensor/linear.h"
#include "tensor/packed_weights.h"
#include "tensor/precision.h"

namespace signalbox::tensor {

// How to run a model: the number format and the kernels for it.
struct Format {
  Precision precision = Precision::kF32;
  const Kernels* kernels = &best_kernels();
  const DotKernels* dot = &best_dot_kernels();
};

class Dense {
 public:
  Dense() = default;
  // All weights and biases 0.
  Dense(const Format& format, std::size_t depth, std::size_t columns);
  // As Linear::set_output.
  void set_output(std::size_t column, const float* weights, float bias, float factor = 1.0f);

  // Rows first..first+count-1 of `a`, whose precision must be this layer's, to as many rows at `c`,
  // c_stride elements apart. kF32 knows kFloat and kGelu.
  void apply(const Activations& a, std::size_t first, std::size_t count, Store store, void* c,
             std::size_t c_stride) const;

  std::size_t depth() const { return depth_; }

 private:
  Format format_;
  std::size_t depth_ = 0;
  Linear floats_;         // kF32
  PackedWeights packed_;  // the others
};

}  // namespace signalbox::tensor
