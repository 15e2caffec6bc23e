#if defined(__aarch64__)
#define SBX_VECTOR_FLOATS 4
#include <arm_neon.h>

#include "tensor/dot_vector.h"
#include "tensor/kernels_neon.h"

namespace signalbox::tensor {
namespace {

// 24 registers of sums, 4 of weights, one broadcast, one constant: 30 of 32.
constexpr std::size_t kTileRows = 6;
constexpr std::size_t kTileColumns = 16;
constexpr std::size_t kQuads = kTileColumns / 4;

// sdot multiplies signed bytes: activations lose 128, and what that takes from a sum (128 times the
// sum of its weights, which is b_sum) comes back at the end.
constexpr float kShift = 128.0f;

template <std::size_t kRows>
[[gnu::noinline]] void run_tile(const Product& p, const Tile& tile) {
  int32x4_t sums[kRows][kQuads];
#pragma GCC unroll 6
  for (std::size_t r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (std::size_t q = 0; q < kQuads; ++q) sums[r][q] = vdupq_n_s32(0);
  }
  const std::byte* a = tile.a;
  const std::byte* b = tile.b;
  const uint8x16_t sign = vdupq_n_u8(0x80);
  for (std::size_t g = 0; g < p.groups; ++g) {
    int8x16_t weights[kQuads];
#pragma GCC unroll 4
    for (std::size_t q = 0; q < kQuads; ++q)
      weights[q] = vld1q_s8(reinterpret_cast<const std::int8_t*>(b) + 16 * q);
#pragma GCC unroll 6
    for (std::size_t r = 0; r < kRows; ++r) {
      const uint32x4_t group =
          vld1q_dup_u32(reinterpret_cast<const std::uint32_t*>(a + r * p.a_stride));
      const int8x16_t value = vreinterpretq_s8_u8(veorq_u8(vreinterpretq_u8_u32(group), sign));
#pragma GCC unroll 4
      for (std::size_t q = 0; q < kQuads; ++q)
        sums[r][q] = vdotq_s32(sums[r][q], value, weights[q]);
    }
    a += kDotGroupBytes;
    b += kDotPanel * kDotGroupBytes;
  }
#pragma GCC unroll 6
  for (std::size_t r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (std::size_t q = 0; q < kQuads; ++q) {
      const std::size_t column = tile.column + q * 4;
      const Floats sum = reinterpret_cast<Floats>(vcvtq_f32_s32(sums[r][q]));
      finish(p, tile.row + r, column, sum + kShift * load(p.b_sum + column));
    }
  }
}

void gemm_int8(const Product& p) {
  for_tiles<kTileRows, kTileColumns>(
      p, [&]<std::size_t kRows>(const Tile& tile) { run_tile<kRows>(p, tile); });
}

void quantise(const float* x, std::size_t count, std::uint8_t* out, float* scale, float* zero) {
  const Levels levels = levels_of(x, count, scale, zero);
  for (std::size_t i = 0; i < count; i += 4 * kLanes) {
    uint16x4_t level[4];
    for (std::size_t v = 0; v < 4; ++v) {
      const std::size_t at = i + v * kLanes;
      const Floats value = at < count ? load_some(x + at, count - at) : Floats{};
      const float32x4_t scaled =
          reinterpret_cast<float32x4_t>(value * levels.inverse + levels.zero);
      level[v] = vqmovn_u32(vcvtnq_u32_f32(scaled));  // to nearest even; negative becomes 0
    }
    const uint8x8_t low = vqmovn_u16(vcombine_u16(level[0], level[1]));
    const uint8x8_t high = vqmovn_u16(vcombine_u16(level[2], level[3]));
    vst1q_u8(out + i, vcombine_u8(low, high));
  }
}

constexpr DotKernels kTable{"neon", gemm_int8, quantise, nullptr, nullptr, nullptr};

}  // namespace

const DotKernels& neon_dot_kernels() { return kTable; }

}  // namespace signalbox::tensor
#endif
