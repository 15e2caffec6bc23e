#include <cmath>

#include "tensor/kernels.h"

namespace signalbox::tensor {
namespace {

float activate(float x, Activation activation) {
  if (activation == Activation::kNone) return x;
  return 0.5f * x * (1.0f + std::erf(x * 0.70710678118654752f));
}

void gemm(const Gemm& g) {
  for (std::size_t first = 0; first < g.columns; first += Kernels::kPanel) {
    const float* panel = g.b + first / Kernels::kPanel * g.b_panel_stride;
    const std::size_t width =
        g.columns - first < Kernels::kPanel ? g.columns - first : Kernels::kPanel;
    for (std::size_t row = 0; row < g.rows; ++row) {
      float sums[Kernels::kPanel] = {};
      for (std::size_t k = 0; k < g.depth; ++k) {
        const float a = g.a[row * g.a_stride + k];
        const float* b = panel + k * g.b_row_stride;
        for (std::size_t n = 0; n < Kernels::kPanel; ++n) sums[n] += a * b[n];
      }
      float* c = g.c + row * g.c_stride + first;
      for (std::size_t n = 0; n < width; ++n) {
        c[n] = activate(sums[n] + (g.bias != nullptr ? g.bias[first + n] : 0.0f), g.activation);
      }
    }
  }
}

void softmax(float* row, std::size_t count) {
  float top = row[0];
  for (std::size_t i = 1; i < count; ++i) top = row[i] > top ? row[i] : top;
  float sum = 0;
  for (std::size_t i = 0; i < count; ++i) sum += row[i] = std::exp(row[i] - top);
  for (std::size_t i = 0; i < count; ++i) row[i] /= sum;
}

void layer_norm(const float* x, const float* residual, const float* scale, const float* shift,
                float epsilon, std::size_t count, float* out) {
  double mean = 0;
  for (std::size_t i = 0; i < count; ++i) {
    out[i] = x[i] + (residual != nullptr ? residual[i] : 0.0f);
    mean += out[i];
  }
  mean /= static_cast<double>(count);
  double variance = 0;
  for (std::size_t i = 0; i < count; ++i) variance += (out[i] - mean) * (out[i] - mean);
  variance /= static_cast<double>(count);
  const double factor = 1.0 / std::sqrt(variance + static_cast<double>(epsilon));
  for (std::size_t i = 0; i < count; ++i) {
    out[i] = static_cast<float>((out[i] - mean) * factor) * scale[i] + shift[i];
  }
}

void accumulate(const float* x, std::size_t count, float* sum) {
  for (std::size_t i = 0; i < count; ++i) sum[i] += x[i];
}

float dot_i8(const std::int8_t* a, const float* b, std::size_t count) {
  float sum = 0;
  for (std::size_t i = 0; i < count; ++i) sum += static_cast<float>(a[i]) * b[i];
  return sum;
}

constexpr Kernels kTable{"scalar-f32", gemm, softmax, layer_norm, accumulate, dot_i8};

}  // namespace

const Kernels& scalar_kernels() { return kTable; }

}  // namespace signalbox::tensor
