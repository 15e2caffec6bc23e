#include "tensor/linear.h"

#include "base/assert.h"

namespace signalbox::tensor {

Linear::Linear(const Kernels& kernels, std::size_t depth, std::size_t columns)
    : kernels_(&kernels), depth_(depth), columns_(columns) {
  const std::size_t padded = round_up(columns, Kernels::kPanel);
  panels_.resize_zeroed(padded * depth);
  bias_.resize_zeroed(padded);
}

void Linear::set_output(std::size_t column, const float* weights, float bias, float factor) {
  SBX_ASSERT(column < columns_);
  float* to = panels_.data() + column / Kernels::kPanel * depth_ * Kernels::kPanel +
              column % Kernels::kPanel;
  for (std::size_t k = 0; k < depth_; ++k) to[k * Kernels::kPanel] = weights[k] * factor;
  bias_.data()[column] = bias * factor;
}

void Linear::apply(const float* a, std::size_t a_stride, std::size_t rows, float* c,
                   std::size_t c_stride, Activation activation) const {
  Gemm g;
  g.a = a;
  g.a_stride = a_stride;
  g.b = panels_.data();
  g.b_row_stride = Kernels::kPanel;
  g.b_panel_stride = depth_ * Kernels::kPanel;
  g.bias = bias_.data();
  g.c = c;
  g.c_stride = c_stride;
  g.rows = rows;
  g.depth = depth_;
  g.columns = columns_;
  g.activation = activation;
  kernels_->gemm(g);
}

}  // namespace signalbox::tensor
