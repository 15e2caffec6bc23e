// The inner loops of a transformer, one table of functions per instruction set, chosen once at
// start by what the CPU has. Every table computes the same thing; scalar_kernels() is the plain
// reference that the others are tested against.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace signalbox::tensor {

enum class Activation : std::uint8_t { kNone, kGelu };  // kGelu: x * (1 + erf(x / sqrt 2)) / 2

// C[rows x columns] = act(A[rows x depth] * B[depth x columns] + bias). Strides count floats. B
// lies in panels of Kernels::kPanel columns: element (k, n) is b[(n / kPanel) * b_panel_stride + k
// * b_row_stride + n % kPanel]. Columns past `columns` in the last panel are read (so must exist)
// but never written.
struct Gemm {
  const float* a = nullptr;
  std::size_t a_stride = 0;
  const float* b = nullptr;
  std::size_t b_row_stride = 0;
  std::size_t b_panel_stride = 0;
  const float* bias = nullptr;  // `columns` rounded up to whole panels, or null for none
  float* c = nullptr;
  std::size_t c_stride = 0;
  std::size_t rows = 0;
  std::size_t depth = 0;
  std::size_t columns = 0;
  Activation activation = Activation::kNone;
};

struct Kernels {
  // Columns of a weight panel; the same for all tables so that packed weights do not depend on the
  // table.
  static constexpr std::size_t kPanel = 32;

  std::string_view name;  // "avx512-f32", "avx2-f32", "scalar-f32"
  void (*gemm)(const Gemm&);
  // row = exp(row - max(row)) / sum; `count` floats, at least 1.
  void (*softmax)(float* row, std::size_t count);
  // out = (x + residual - mean) / sqrt(variance + epsilon) * scale + shift over one row; residual
  // may be null, out may be x.
  void (*layer_norm)(const float* x, const float* residual, const float* scale, const float* shift,
                     float epsilon, std::size_t count, float* out);
  // sum += x
  void (*accumulate)(const float* x, std::size_t count, float* sum);
  // Dot product of signed bytes with floats; for int8 nearest-neighbour tables.
  float (*dot_i8)(const std::int8_t* a, const float* b, std::size_t count);
};

// The plain C++ reference; correct everywhere, fast nowhere.
const Kernels& scalar_kernels();
// The fastest table this CPU can run. Does not depend on the environment; always the same within a
// process.
const Kernels& best_kernels();
// Every table this CPU can run, slowest first; for tests and benchmarks.
std::span<const Kernels* const> runnable_kernels();

constexpr std::size_t round_up(std::size_t value, std::size_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

}  // namespace signalbox::tensor
