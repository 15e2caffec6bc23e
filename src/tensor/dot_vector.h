// What the AVX2 and NEON int8 kernels share: the walk over tiles and what happens to finished sums.
// The including file defines kTileRows, kTileColumns and the loops over the depth; see vector_math.h
// for the rules.
#pragma once

#include "tensor/dot_kernels.h"
#include "tensor/vector_math.h"

namespace signalbox::tensor {
namespace {

struct Tile {
  const std::byte* a;
  const std::byte* b;  // first column of the tile in its panel
  std::size_t row;
  std::size_t column;
};

// Writes kLanes finished sums of one row: sum - zero * b_sum, scaled, biased, activated.
inline void finish(const Product& p, std::size_t row, std::size_t column, Floats sum) {
  if (column >= p.columns) return;
  Floats y = (sum - p.a_zero[row] * load(p.b_sum + column)) * p.a_scale[row];
  y = y * load(p.b_scale + column) + load(p.bias + column);
  if (p.store == Store::kGelu) y = gelu_of(y);
  float* to = static_cast<float*>(p.c) + row * p.c_stride + column;
  if (column + kLanes <= p.columns) {
    store(to, y);
  } else {
    for (std::size_t i = 0; column + i < p.columns; ++i) to[i] = y[i];
  }
}

// Calls run.template operator()<rows>(tile) for every tile, rows at most kRows.
template <std::size_t kRows, class Run>
inline void run_rows(const Tile& tile, std::size_t rows, Run run) {
  if constexpr (kRows > 0) {
    if (rows == kRows) return run.template operator()<kRows>(tile);
    run_rows<kRows - 1>(tile, rows, run);
  }
}

template <std::size_t kTileRows, std::size_t kTileColumns, class Run>
inline void for_tiles(const Product& p, Run run) {
  static_assert(kDotPanel % kTileColumns == 0);
  for (std::size_t column = 0; column < p.columns; column += kTileColumns) {
    const std::byte* b =
        p.b + (column / kDotPanel * p.groups * kDotPanel + column % kDotPanel) * kDotGroupBytes;
    for (std::size_t row = 0; row < p.rows; row += kTileRows) {
      const std::size_t rows = p.rows - row < kTileRows ? p.rows - row : kTileRows;
      run_rows<kTileRows>({p.a + row * p.a_stride, b, row, column}, rows, run);
    }
  }
}

// Scale and zero of a row from its range.
struct Levels {
  float inverse;
  float zero;
};
inline Levels levels_of(const float* x, std::size_t count, float* scale, float* zero) {
  float bottom = x[0], top = x[0];
  const std::size_t whole = count / kLanes * kLanes;
  if (whole > 0) {
    Floats low = load(x), high = low;
    for (std::size_t i = kLanes; i < whole; i += kLanes) {
      const Floats value = load(x + i);
      low = value < low ? value : low;
      high = value > high ? value : high;
    }
    for (std::size_t i = 0; i < kLanes; ++i) {
      bottom = low[i] < bottom ? low[i] : bottom;
      top = high[i] > top ? high[i] : top;
    }
  }
  for (std::size_t i = whole; i < count; ++i) {
    bottom = x[i] < bottom ? x[i] : bottom;
    top = x[i] > top ? x[i] : top;
  }
  *scale = top > bottom ? (top - bottom) / 255.0f : 1.0f;
  const float inverse = 1.0f / *scale;
  *zero = -bottom * inverse;
  return {inverse, *zero};
}

// kLanes values from x, zero past `left`.
inline Floats load_some(const float* x, std::size_t left) {
  if (left >= kLanes) return load(x);
  Floats value = {};
  for (std::size_t i = 0; i < left; ++i) value[i] = x[i];
  return value;
}

}  // namespace
}  // namespace signalbox::tensor
