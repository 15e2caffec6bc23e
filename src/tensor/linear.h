// A linear layer whose weights were packed for the kernels once, at load. Precision is its secret:
// callers hand in and get floats, so that other formats of the packed weights can come without
// touching the model code.
#pragma once

#include <cstddef>
#include <vector>

#include "tensor/buffer.h"
#include "tensor/kernels.h"

namespace signalbox::tensor {

class Linear {
 public:
  Linear() = default;
  // Room for a layer from `depth` inputs to `columns` outputs, all weights and biases 0.
  Linear(const Kernels& kernels, std::size_t depth, std::size_t columns);
  // Weights of one output: `depth` floats, as a row of the [out, in] matrix of model files; all are
  // scaled by `factor`.
  void set_output(std::size_t column, const float* weights, float bias, float factor = 1.0f);

  // c[rows x columns] = act(a[rows x depth] * W^T + bias). Rows of `a` are a_stride floats apart,
  // of `c` c_stride.
  void apply(const float* a, std::size_t a_stride, std::size_t rows, float* c, std::size_t c_stride,
             Activation activation = Activation::kNone) const;

  std::size_t depth() const { return depth_; }
  std::size_t columns() const { return columns_; }

 private:
  const Kernels* kernels_ = nullptr;
  std::size_t depth_ = 0;
  std::size_t columns_ = 0;
  Buffer panels_;  // [columns / kPanel][depth][kPanel], zero-padded
  Buffer bias_;    // columns rounded up to whole panels
};

}  // namespace signalbox::tensor
