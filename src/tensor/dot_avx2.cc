#if defined(__x86_64__)
#define SBX_VECTOR_FLOATS 8
#include <immintrin.h>

#include "tensor/dot_vector.h"
#include "tensor/dot_x86.h"

namespace signalbox::tensor {
namespace {

// Bytes are widened to 16 bits and multiplied by vpmaddwd: vpmaddubsw would take bytes as they are,
// but its sums of two products saturate at 16 bits and the answer would be another one. A register
// of sums holds 4 columns, two halves of the depth each. 12 + 1 + 1 registers of 16.
constexpr std::size_t kTileRows = 3;
constexpr std::size_t kTileColumns = 16;
constexpr std::size_t kQuads = kTileColumns / 4;

inline __m256i pinned(__m256i value) {
  asm("" : "+x"(value));
  return value;
}

template <std::size_t kRows>
[[gnu::noinline]] void run_tile(const Product& p, const Tile& tile) {
  __m256i sums[kRows][kQuads] = {};
  const std::byte* a = tile.a;
  const std::byte* b = tile.b;
  for (std::size_t g = 0; g < p.groups; ++g) {
    __m256i values[kRows];
#pragma GCC unroll 3
    for (std::size_t r = 0; r < kRows; ++r) {
      const auto group = *reinterpret_cast<const std::int32_t*>(a + r * p.a_stride);
      values[r] = pinned(_mm256_cvtepu8_epi16(_mm_set1_epi32(group)));
    }
#pragma GCC unroll 4
    for (std::size_t q = 0; q < kQuads; ++q) {
      const __m256i weights =
          pinned(_mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(b) + q)));
#pragma GCC unroll 3
      for (std::size_t r = 0; r < kRows; ++r)
        sums[r][q] = _mm256_add_epi32(sums[r][q], _mm256_madd_epi16(values[r], weights));
    }
    a += kDotGroupBytes;
    b += kDotPanel * kDotGroupBytes;
  }
  for (std::size_t r = 0; r < kRows; ++r) {
    for (std::size_t q = 0; q < kQuads; q += 2) {
      const __m256i both = _mm256_hadd_epi32(sums[r][q], sums[r][q + 1]);
      const __m256i ordered = _mm256_permute4x64_epi64(both, 0xd8);
      finish(p, tile.row + r, tile.column + q * 4,
             reinterpret_cast<Floats>(_mm256_cvtepi32_ps(ordered)));
    }
  }
}

void gemm_int8(const Product& p) {
  for_tiles<kTileRows, kTileColumns>(
      p, [&]<std::size_t kRows>(const Tile& tile) { run_tile<kRows>(p, tile); });
}

void quantise(const float* x, std::size_t count, std::uint8_t* out, float* scale, float* zero) {
  const Levels levels = levels_of(x, count, scale, zero);
  const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
  for (std::size_t i = 0; i < count; i += 4 * kLanes) {
    __m256i level[4];
    for (std::size_t v = 0; v < 4; ++v) {
      const std::size_t at = i + v * kLanes;
      const Floats value = at < count ? load_some(x + at, count - at) : Floats{};
      level[v] = _mm256_cvtps_epi32(reinterpret_cast<__m256>(value * levels.inverse + levels.zero));
    }
    const __m256i low = _mm256_packs_epi32(level[0], level[1]);
    const __m256i high = _mm256_packs_epi32(level[2], level[3]);
    const __m256i bytes = _mm256_permutevar8x32_epi32(_mm256_packus_epi16(low, high), order);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + i), bytes);
  }
}

constexpr DotKernels kTable{"avx2", gemm_int8, quantise, nullptr, nullptr, nullptr};

}  // namespace

const DotKernels& avx2_dot_kernels() { return kTable; }

}  // namespace signalbox::tensor
#endif
