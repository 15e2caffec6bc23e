// bfloat16: the upper half of a float. Conversions of single values; kernels have their own.
#pragma once

#include <bit>
#include <cstdint>

namespace signalbox::tensor {

// Rounds to nearest, ties to even. A NaN stays a NaN.
constexpr std::uint16_t to_bf16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7fffffffU) > 0x7f800000U) return static_cast<std::uint16_t>(bits >> 16 | 0x40U);
  return static_cast<std::uint16_t>((bits + 0x7fffU + (bits >> 16 & 1U)) >> 16);
}

constexpr float from_bf16(std::uint16_t value) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(value) << 16);
}

}  // namespace signalbox::tensor
