// One source for all SIMD tables: included by one file per instruction set, each compiled for its own;
// see vector_math.h for the rules.
#pragma once

#include "tensor/kernels.h"
#include "tensor/vector_math.h"

namespace signalbox::tensor {
namespace {

constexpr std::size_t kVectors = Kernels::kPanel / kLanes;  // vectors across one panel

// A tile of kTileRows x kTileVectors accumulators plus the loaded weights and one broadcast fills
// the register file without spilling: 12 x 2 of 32 registers with AVX512, 4 x 2 (of 16, three tiles
// across) with AVX2.
constexpr std::size_t kTileVectors = kVectors < 2 ? 1 : 2;
constexpr std::size_t kTileRows = kLanes == 16 ? 12 : 6;

struct Tile {
  const float* a;
  const float* b;
  float* c;
  std::size_t column;  // first column of the tile in C, for the bias
  std::size_t width;   // columns to write, at most kTileVectors * kLanes
};

template <std::size_t kRows>
inline void write_tile(const Gemm& g, const Tile& tile, const Floats (&sums)[kRows][kTileVectors]) {
#pragma GCC unroll 12
  for (std::size_t r = 0; r < kRows; ++r) {
#pragma GCC unroll 2
    for (std::size_t v = 0; v < kTileVectors; ++v) {
      Floats value = sums[r][v];
      if (g.bias != nullptr) value += load(g.bias + tile.column + v * kLanes);
      if (g.activation == Activation::kGelu) value = gelu_of(value);
      float* to = tile.c + r * g.c_stride + v * kLanes;
      if ((v + 1) * kLanes <= tile.width) {
        store(to, value);
      } else {
        for (std::size_t i = 0; v * kLanes + i < tile.width; ++i) to[i] = value[i];
      }
    }
  }
}

template <std::size_t kRows>
[[gnu::noinline]] void run_tile(const Gemm& g, const Tile& tile) {
  Floats sums[kRows][kTileVectors] = {};
  const float* a = tile.a;
  const float* b = tile.b;
  const std::size_t a_stride = g.a_stride;
  const std::size_t b_stride = g.b_row_stride;
  for (std::size_t k = 0; k < g.depth; ++k, b += b_stride) {
    Floats weights[kTileVectors];
#pragma GCC unroll 2
    for (std::size_t v = 0; v < kTileVectors; ++v) {
      weights[v] = load(b + v * kLanes);
      pin(weights[v]);
    }
#pragma GCC unroll 12
    for (std::size_t r = 0; r < kRows; ++r) {
      Floats value = fill(a[r * a_stride + k]);
      pin(value);
#pragma GCC unroll 2
      for (std::size_t v = 0; v < kTileVectors; ++v) sums[r][v] += value * weights[v];
    }
  }
  write_tile<kRows>(g, tile, sums);
}

template <std::size_t kRows>
void run_rows(const Gemm& g, const Tile& tile, std::size_t rows) {
  if constexpr (kRows > 0) {
    if (rows == kRows) return run_tile<kRows>(g, tile);
    run_rows<kRows - 1>(g, tile, rows);
  }
}

void gemm(const Gemm& g) {
  constexpr std::size_t kTileColumns = kTileVectors * kLanes;
  for (std::size_t column = 0; column < g.columns; column += kTileColumns) {
    const float* b = g.b + column / Kernels::kPanel * g.b_panel_stride + column % Kernels::kPanel;
    const std::size_t left = g.columns - column;
    for (std::size_t row = 0; row < g.rows; row += kTileRows) {
      const Tile tile{g.a + row * g.a_stride, b, g.c + row * g.c_stride + column, column,
                      left < kTileColumns ? left : kTileColumns};
      const std::size_t rows = g.rows - row < kTileRows ? g.rows - row : kTileRows;
      run_rows<kTileRows>(g, tile, rows);
    }
  }
}

void softmax(float* row, std::size_t count) {
  const std::size_t whole = count / kLanes * kLanes;
  float top = row[0];
  if (whole > 0) {
    Floats tops = load(row);
    for (std::size_t i = kLanes; i < whole; i += kLanes) {
      const Floats value = load(row + i);
      tops = value > tops ? value : tops;
    }
    for (std::size_t i = 0; i < kLanes; ++i) top = tops[i] > top ? tops[i] : top;
  }
  for (std::size_t i = whole; i < count; ++i) top = row[i] > top ? row[i] : top;
  Floats sums = {};
  for (std::size_t i = 0; i < whole; i += kLanes) {
    const Floats value = exp_of(load(row + i) - top);
    sums += value;
    store(row + i, value);
  }
  float sum = sum_of(sums);
  if (whole < count) {
    Floats rest = fill(-1000.0f);
    for (std::size_t i = whole; i < count; ++i) rest[i - whole] = row[i] - top;
    rest = exp_of(rest);
    for (std::size_t i = whole; i < count; ++i) sum += row[i] = rest[i - whole];
  }
  const float factor = 1.0f / sum;
  for (std::size_t i = 0; i < whole; i += kLanes) store(row + i, load(row + i) * factor);
  for (std::size_t i = whole; i < count; ++i) row[i] *= factor;
}

// Sums over several vectors at a time: a single chain of additions would wait for each of them.
constexpr std::size_t kChains = 4;

// out = x + residual; returns the sum. The first `whole` floats only.
inline float add_rows(const float* x, const float* residual, std::size_t whole, float* out) {
  Floats sums[kChains] = {};
  for (std::size_t i = 0; i < whole; i += kChains * kLanes) {
#pragma GCC unroll 4
    for (std::size_t v = 0; v < kChains; ++v) {
      const std::size_t at = i + v * kLanes;
      if (at >= whole) break;
      Floats value = load(x + at);
      if (residual != nullptr) value += load(residual + at);
      sums[v] += value;
      store(out + at, value);
    }
  }
  return sum_of((sums[0] + sums[1]) + (sums[2] + sums[3]));
}

inline float squares_around(const float* row, float mean, std::size_t whole) {
  Floats sums[kChains] = {};
  for (std::size_t i = 0; i < whole; i += kChains * kLanes) {
#pragma GCC unroll 4
    for (std::size_t v = 0; v < kChains; ++v) {
      const std::size_t at = i + v * kLanes;
      if (at >= whole) break;
      const Floats value = load(row + at) - mean;
      sums[v] += value * value;
    }
  }
  return sum_of((sums[0] + sums[1]) + (sums[2] + sums[3]));
}

void layer_norm(const float* x, const float* residual, const float* scale, const float* shift,
                float epsilon, std::size_t count, float* out) {
  const std::size_t whole = count / kLanes * kLanes;
  float sum = add_rows(x, residual, whole, out);
  for (std::size_t i = whole; i < count; ++i)
    sum += out[i] = x[i] + (residual != nullptr ? residual[i] : 0.0f);
  const float mean = sum / static_cast<float>(count);
  float square = squares_around(out, mean, whole);
  for (std::size_t i = whole; i < count; ++i) square += (out[i] - mean) * (out[i] - mean);
  const float factor = 1.0f / __builtin_sqrtf(square / static_cast<float>(count) + epsilon);
  for (std::size_t i = 0; i < whole; i += kLanes) {
    store(out + i, (load(out + i) - mean) * factor * load(scale + i) + load(shift + i));
  }
  for (std::size_t i = whole; i < count; ++i)
    out[i] = (out[i] - mean) * factor * scale[i] + shift[i];
}

void accumulate(const float* x, std::size_t count, float* sum) {
  const std::size_t whole = count / kLanes * kLanes;
  for (std::size_t i = 0; i < whole; i += kLanes) store(sum + i, load(sum + i) + load(x + i));
  for (std::size_t i = whole; i < count; ++i) sum[i] += x[i];
}

// By intrinsics: for the conversion of vectors g++ 12 goes through single elements.
inline Floats load_bytes(const std::int8_t* from) {
#if SBX_VECTOR_FLOATS == 16
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes));
#elif SBX_VECTOR_FLOATS == 8
  const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(from));
  return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes));
#else
  Floats floats;
  for (std::size_t i = 0; i < kLanes; ++i) floats[i] = static_cast<float>(from[i]);
  return floats;
#endif
}

float dot_i8(const std::int8_t* a, const float* b, std::size_t count) {
  constexpr std::size_t kStep = 4 * kLanes;  // four chains of additions hide their latency
  Floats sums[4] = {};
  std::size_t i = 0;
  for (; i + kStep <= count; i += kStep) {
#pragma GCC unroll 4
    for (std::size_t v = 0; v < 4; ++v) {
      sums[v] += load_bytes(a + i + v * kLanes) * load(b + i + v * kLanes);
    }
  }
  float sum = sum_of((sums[0] + sums[1]) + (sums[2] + sums[3]));
  for (; i < count; ++i) sum += static_cast<float>(a[i]) * b[i];
  return sum;
}

}  // namespace
}  // namespace signalbox::tensor
