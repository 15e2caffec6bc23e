#include "tensor/packed_weights.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/assert.h"
#include "tensor/bf16.h"
#include "tensor/kernels.h"

namespace signalbox::tensor {

PackedWeights::PackedWeights(Precision precision, std::size_t depth, std::size_t columns)
    : precision_(precision), depth_(depth), columns_(columns) {
  SBX_ASSERT(precision != Precision::kF32);
  const std::size_t padded = round_up(columns, kDotPanel);
  groups_ = round_up(depth, precision == Precision::kInt8 ? 4 : 2) /
            (precision == Precision::kInt8 ? 4 : 2);
  panels_.resize_zeroed(padded * groups_);  // a group is as large as a float
  bias_.resize_zeroed(padded);
  if (precision == Precision::kInt8) {
    scale_.resize_zeroed(padded);
    sum_.resize_zeroed(padded);
  }
}

void PackedWeights::set_output(std::size_t column, const float* weights, float bias, float factor) {
  SBX_ASSERT(column < columns_);
  bias_.data()[column] = bias * factor;
  if (precision_ == Precision::kInt8) {
    set_int8(column, weights, factor);
  } else {
    set_bf16(column, weights, factor);
  }
}

void PackedWeights::set_int8(std::size_t column, const float* weights, float factor) {
  constexpr float kTop = 127.0f;
  float top = 0;
  for (std::size_t k = 0; k < depth_; ++k) top = std::max(top, std::abs(weights[k]));
  const float inverse = top > 0 ? kTop / top : 0.0f;
  std::int32_t sum = 0;
  auto* panel = reinterpret_cast<std::int8_t*>(panels_.data()) +
                (column / kDotPanel * groups_ * kDotPanel + column % kDotPanel) * kDotGroupBytes;
  for (std::size_t k = 0; k < depth_; ++k) {
    const auto level =
        static_cast<std::int8_t>(std::clamp(std::nearbyint(weights[k] * inverse), -kTop, kTop));
    panel[k / 4 * kDotPanel * kDotGroupBytes + k % 4] = level;
    sum += level;
  }
  scale_.data()[column] = top / kTop * factor;
  sum_.data()[column] = static_cast<float>(sum);
}

void PackedWeights::set_bf16(std::size_t column, const float* weights, float factor) {
  auto* panel = reinterpret_cast<std::byte*>(panels_.data()) +
                (column / kDotPanel * groups_ * kDotPanel + column % kDotPanel) * kDotGroupBytes;
  for (std::size_t k = 0; k < depth_; ++k) {
    const std::uint16_t value = to_bf16(weights[k] * factor);
    std::memcpy(panel + k / 2 * kDotPanel * kDotGroupBytes + k % 2 * sizeof value, &value,
                sizeof value);
  }
}

Product PackedWeights::product() const {
  Product p;
  p.b = reinterpret_cast<const std::byte*>(panels_.data());
  p.groups = groups_;
  p.b_scale = scale_.data();
  p.b_sum = sum_.data();
  p.bias = bias_.data();
  p.columns = columns_;
  return p;
}

}  // namespace signalbox::tensor
