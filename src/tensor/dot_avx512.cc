#include "tensor/dot_avx512.h"

#if defined(__x86_64__)
#include "tensor/dot_x86.h"

namespace signalbox::tensor {
namespace {

// 6 rows x 4 vectors of accumulators, 4 registers of weights and the broadcasts: 30 of 32 registers.
constexpr std::size_t kTileRows = 6;
constexpr std::size_t kTileVectors = kDotPanel / kLanes;
constexpr std::size_t kPanelGroupBytes = kDotPanel * kDotGroupBytes;

struct Int8 {
  using Sum = __m512i;
  static Sum none() { return _mm512_setzero_si512(); }
  static void add(Sum& sum, __m512i a, __m512i b) { dot_int8(sum, a, b); }
};
struct Bf16 {
  using Sum = __m512;
  static Sum none() { return _mm512_setzero_ps(); }
  static void add(Sum& sum, __m512i a, __m512i b) { dot_bf16(sum, a, b); }
};

// x * Phi(x). Phi is 1/2 plus an odd polynomial of degree 13, exactly 0 and 1 from -4 and 4 on;
// absolute error of the product below 2e-4, half a step of what int8 or bf16 make of it.
inline __m512 gelu(__m512 x) {
  const __m512 limit = _mm512_set1_ps(4.0f);
  const __m512 near =
      _mm512_max_ps(_mm512_min_ps(x, limit), _mm512_sub_ps(_mm512_setzero_ps(), limit));
  const __m512 square = _mm512_mul_ps(near, near);
  __m512 p = _mm512_set1_ps(2.258666143006849e-08f);
  p = _mm512_fmadd_ps(p, square, _mm512_set1_ps(-1.5887407016634825e-06f));
  p = _mm512_fmadd_ps(p, square, _mm512_set1_ps(4.7762001486262307e-05f));
  p = _mm512_fmadd_ps(p, square, _mm512_set1_ps(-0.000812167243566364f));
  p = _mm512_fmadd_ps(p, square, _mm512_set1_ps(0.00876358151435852f));
  p = _mm512_fmadd_ps(p, square, _mm512_set1_ps(-0.0645541399717331f));
  p = _mm512_fmadd_ps(p, square, _mm512_set1_ps(0.3978700339794159f));
  return _mm512_mul_ps(x, _mm512_fmadd_ps(p, near, _mm512_set1_ps(0.5f)));
}

struct Tile {
  const std::byte* a;
  const std::byte* b;
  std::size_t row;
  std::size_t column;
  std::size_t width;  // columns to write, at most kDotPanel
};

inline __m512 finish(const Product& p, const Tile& tile, std::size_t r, std::size_t v,
                     __m512i sum) {
  const std::size_t column = tile.column + v * kLanes;
  const __m512 shift = _mm512_set1_ps(p.a_zero[tile.row + r]);
  const __m512 exact =
      _mm512_fnmadd_ps(shift, _mm512_loadu_ps(p.b_sum + column), _mm512_cvtepi32_ps(sum));
  const __m512 scaled = _mm512_mul_ps(exact, _mm512_set1_ps(p.a_scale[tile.row + r]));
  return _mm512_fmadd_ps(scaled, _mm512_loadu_ps(p.b_scale + column),
                         _mm512_loadu_ps(p.bias + column));
}
inline __m512 finish(const Product& p, const Tile& tile, std::size_t, std::size_t v, __m512 sum) {
  return _mm512_add_ps(sum, _mm512_loadu_ps(p.bias + tile.column + v * kLanes));
}

template <Store kStore>
inline void write(const Product& p, const Tile& tile, std::size_t r, std::size_t v, __m512 y) {
  const std::size_t at = (tile.row + r) * p.c_stride + tile.column + v * kLanes;
  const std::size_t left = tile.width < v * kLanes ? 0 : tile.width - v * kLanes;
  const __mmask16 mask = left >= kLanes ? 0xffff : static_cast<__mmask16>((1U << left) - 1);
  if constexpr (kStore == Store::kGelu || kStore == Store::kGeluBf16) y = gelu(y);
  if constexpr (kStore == Store::kBf16 || kStore == Store::kGeluBf16) {
    const auto rounded = reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(y));
    _mm256_mask_storeu_epi16(static_cast<std::uint16_t*>(p.c) + at, mask, rounded);
  } else {
    _mm512_mask_storeu_ps(static_cast<float*>(p.c) + at, mask, y);
  }
}

template <class Format, Store kStore, std::size_t kRows>
[[gnu::noinline]] void run_tile(const Product& p, const Tile& tile) {
  typename Format::Sum sums[kRows][kTileVectors];
#pragma GCC unroll 6
  for (std::size_t r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (std::size_t v = 0; v < kTileVectors; ++v) sums[r][v] = Format::none();
  }
  const std::byte* a = tile.a;
  const std::byte* b = tile.b;
  const std::byte* const end = b + p.groups * kPanelGroupBytes;
  const std::size_t stride = p.a_stride;
  for (; b != end; a += kDotGroupBytes, b += kPanelGroupBytes) {
    __m512i weights[kTileVectors];
#pragma GCC unroll 4
    for (std::size_t v = 0; v < kTileVectors; ++v)
      weights[v] = load_groups(b + v * kLanes * kDotGroupBytes);
#pragma GCC unroll 6
    for (std::size_t r = 0; r < kRows; ++r) {
      const __m512i value = broadcast_group(a + r * stride);
#pragma GCC unroll 4
      for (std::size_t v = 0; v < kTileVectors; ++v) Format::add(sums[r][v], value, weights[v]);
    }
  }
#pragma GCC unroll 6
  for (std::size_t r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (std::size_t v = 0; v < kTileVectors; ++v)
      write<kStore>(p, tile, r, v, finish(p, tile, r, v, sums[r][v]));
  }
}

template <class Format, Store kStore, std::size_t kRows>
void run_rows(const Product& p, const Tile& tile, std::size_t rows) {
  if constexpr (kRows > 0) {
    if (rows == kRows) return run_tile<Format, kStore, kRows>(p, tile);
    run_rows<Format, kStore, kRows - 1>(p, tile, rows);
  }
}

template <class Format, Store kStore>
void gemm(const Product& p) {
  for (std::size_t column = 0; column < p.columns; column += kDotPanel) {
    const std::byte* panel = p.b + column * p.groups * kDotGroupBytes;
    const std::size_t left = p.columns - column;
    const std::size_t width = left < kDotPanel ? left : kDotPanel;
    for (std::size_t row = 0; row < p.rows; row += kTileRows) {
      const std::size_t rows = p.rows - row < kTileRows ? p.rows - row : kTileRows;
      run_rows<Format, kStore, kTileRows>(p, {p.a + row * p.a_stride, panel, row, column, width},
                                          rows);
    }
  }
}

template <class Format>
void gemm_of(const Product& p) {
  switch (p.store) {
    case Store::kFloat:
      return gemm<Format, Store::kFloat>(p);
    case Store::kGelu:
      return gemm<Format, Store::kGelu>(p);
    case Store::kBf16:
      return gemm<Format, Store::kBf16>(p);
    case Store::kGeluBf16:
      return gemm<Format, Store::kGeluBf16>(p);
  }
}

inline __mmask16 lanes_of(std::size_t left) {
  return left >= kLanes ? 0xffff : static_cast<__mmask16>((1U << left) - 1);
}

// 64 floats from x + at, `otherwise` past `count`.
inline void load_line(const float* x, std::size_t at, std::size_t count, __m512 otherwise,
                      __m512 (&out)[4]) {
  if (at + 4 * kLanes <= count) {
#pragma GCC unroll 4
    for (std::size_t v = 0; v < 4; ++v) out[v] = _mm512_loadu_ps(x + at + v * kLanes);
    return;
  }
#pragma GCC unroll 4
  for (std::size_t v = 0; v < 4; ++v) {
    const std::size_t first = at + v * kLanes;
    out[v] = first < count ? _mm512_mask_loadu_ps(otherwise, lanes_of(count - first), x + first)
                           : otherwise;
  }
}

void quantise(const float* x, std::size_t count, std::uint8_t* out, float* scale, float* zero) {
  const __m512 first = _mm512_set1_ps(x[0]);
  __m512 low[2] = {first, first}, high[2] = {first, first}, part[4];
  for (std::size_t i = 0; i < count; i += 4 * kLanes) {
    load_line(x, i, count, first, part);
#pragma GCC unroll 4
    for (std::size_t v = 0; v < 4; ++v) {
      low[v % 2] = _mm512_min_ps(low[v % 2], part[v]);
      high[v % 2] = _mm512_max_ps(high[v % 2], part[v]);
    }
  }
  const float bottom = _mm512_reduce_min_ps(_mm512_min_ps(low[0], low[1]));
  const float top = _mm512_reduce_max_ps(_mm512_max_ps(high[0], high[1]));
  *scale = top > bottom ? (top - bottom) / 255.0f : 1.0f;
  const float inverse = 1.0f / *scale;
  *zero = -bottom * inverse;
  const __m512 factor = _mm512_set1_ps(inverse), shift = _mm512_set1_ps(*zero);
  const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  for (std::size_t i = 0; i < count; i += 4 * kLanes) {
    load_line(x, i, count, first, part);
    __m512i level[4];
#pragma GCC unroll 4
    for (std::size_t v = 0; v < 4; ++v)
      level[v] = _mm512_cvtps_epi32(_mm512_fmadd_ps(part[v], factor, shift));
    // Packing saturates to 0..255 and interleaves by 128-bit lanes.
    const __m512i bytes = _mm512_packus_epi16(_mm512_packs_epi32(level[0], level[1]),
                                              _mm512_packs_epi32(level[2], level[3]));
    _mm512_storeu_si512(out + i, _mm512_permutexvar_epi32(order, bytes));
  }
}

void round_row(const float* x, std::size_t count, std::uint16_t* out) {
  for (std::size_t i = 0; i < count; i += kLanes) {
    const __m512 value = _mm512_maskz_loadu_ps(lanes_of(count - i), x + i);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + i),
                        reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(value)));
  }
}

constexpr DotKernels kTable{"avx512",      gemm_of<Int8>, quantise,
                            gemm_of<Bf16>, round_row,     attend_avx512};

}  // namespace

const DotKernels& avx512_dot_kernels() { return kTable; }

}  // namespace signalbox::tensor
#endif
