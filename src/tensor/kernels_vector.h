// One source for all SIMD tables: included by kernels_avx2.cc and kernels_avx512.cc, each compiled
// for its own instruction set, with SBX_VECTOR_FLOATS lanes. Everything is in an unnamed namespace
// and nothing from the standard library is called: an inline function shared with other files could
// otherwise be linked in its AVX512 version and run on a CPU without it.
#pragma once

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "tensor/kernels.h"

#ifndef SBX_VECTOR_FLOATS
#define SBX_VECTOR_FLOATS 4
#endif

namespace signalbox::tensor {
namespace {

constexpr std::size_t kLanes = SBX_VECTOR_FLOATS;
constexpr std::size_t kVectors = Kernels::kPanel / kLanes;  // vectors across one panel
typedef float Floats __attribute__((vector_size(kLanes * 4), may_alias));
typedef float UnalignedFloats __attribute__((vector_size(kLanes * 4), aligned(4), may_alias));
typedef std::int32_t Ints __attribute__((vector_size(kLanes * 4)));

// A tile of kTileRows x kTileVectors accumulators plus the loaded weights and one broadcast fills
// the register file without spilling: 12 x 2 of 32 registers with AVX512, 4 x 2 (of 16, three tiles
// across) with AVX2.
constexpr std::size_t kTileVectors = kVectors < 2 ? 1 : 2;
constexpr std::size_t kTileRows = kLanes == 16 ? 12 : 6;

inline Floats load(const float* from) { return *reinterpret_cast<const UnalignedFloats*>(from); }
inline void store(float* to, Floats value) { *reinterpret_cast<UnalignedFloats*>(to) = value; }
inline Floats fill(float value) { return Floats{} + value; }

// Keeps a loaded value in a register. Without it g++ folds the load into every instruction that
// uses the value, and the loop becomes bound by loads (seen in the disassembly of g++ 12: twice the
// time).
inline void pin(Floats& value) { asm("" : "+v"(value)); }

inline float sum_of(Floats v) {
  float total = 0;
  for (std::size_t i = 0; i < kLanes; ++i) total += v[i];
  return total;
}

// exp(x) for x <= 0 to 2 ulp or so: 2^n * 2^f with f in [-1/2, 1/2] by a degree 6 polynomial. Below
// -87 it gives about 0.
inline Floats exp_of(Floats x) {
  const Floats low = fill(-87.0f);
  x = x > low ? x : low;
  const Floats t = x * 1.44269504088896341f;
  const Floats magic = fill(12582912.0f);  // 1.5 * 2^23: adding it rounds to an integer
  const Floats whole = (t + magic) - magic;
  // Subtract whole * ln 2 in two parts, so that the argument keeps its bits.
  const Floats f = (x - whole * 0.693359375f) - whole * -2.12194440e-4f;
  Floats p = fill(1.0f / 720);
  p = p * f + 1.0f / 120;
  p = p * f + 1.0f / 24;
  p = p * f + 1.0f / 6;
  p = p * f + 0.5f;
  p = p * f + 1.0f;
  p = p * f + 1.0f;
  const Ints power = (__builtin_convertvector(whole, Ints) + 127) << 23;
  return p * reinterpret_cast<const Floats&>(power);
}

// erf by formula 7.1.26 of Abramowitz and Stegun, absolute error below 1.5e-7.
inline Floats gelu_of(Floats x) {
  const Floats z = x * 0.70710678118654752f;
  const Floats size = z < fill(0.0f) ? -z : z;
  const Floats t = 1.0f / (1.0f + 0.3275911f * size);
  Floats p = fill(1.061405429f);
  p = p * t + -1.453152027f;
  p = p * t + 1.421413741f;
  p = p * t + -0.284496736f;
  p = p * t + 0.254829592f;
  const Floats tail = p * t * exp_of(-(size * size));  // 1 - erf(|z|)
  return z < fill(0.0f) ? 0.5f * x * tail : x - 0.5f * x * tail;
}

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

void layer_norm(const float* x, const float* residual, const float* scale, const float* shift,
                float epsilon, std::size_t count, float* out) {
  const std::size_t whole = count / kLanes * kLanes;
  Floats sums = {};
  for (std::size_t i = 0; i < whole; i += kLanes) {
    Floats value = load(x + i);
    if (residual != nullptr) value += load(residual + i);
    sums += value;
    store(out + i, value);
  }
  float sum = sum_of(sums);
  for (std::size_t i = whole; i < count; ++i)
    sum += out[i] = x[i] + (residual != nullptr ? residual[i] : 0.0f);
  const float mean = sum / static_cast<float>(count);
  Floats squares = {};
  for (std::size_t i = 0; i < whole; i += kLanes) {
    const Floats value = load(out + i) - mean;
    squares += value * value;
  }
  float square = sum_of(squares);
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
