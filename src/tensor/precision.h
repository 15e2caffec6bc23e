// The number formats in which a model's matrix products can run.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace signalbox::tensor {

enum class Precision : std::uint8_t {
  kF32,
  kBf16,  // weights and activations bf16, sums fp32
  kInt8,  // weights s8 per output channel, activations u8 per token, sums s32; attention bf16
};

constexpr std::string_view precision_name(Precision precision) {
  switch (precision) {
    case Precision::kF32:
      return "fp32";
    case Precision::kBf16:
      return "bf16";
    case Precision::kInt8:
      return "int8";
  }
  return "";
}

// The inverse of precision_name; nothing for other words.
constexpr std::optional<Precision> precision_of(std::string_view name) {
  for (const auto one : {Precision::kF32, Precision::kBf16, Precision::kInt8}) {
    if (precision_name(one) == name) return one;
  }
  return std::nullopt;
}

}  // namespace signalbox::tensor
