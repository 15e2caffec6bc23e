#include "tensor/activations.h"

#include <cstring>

#include "base/assert.h"
#include "tensor/kernels.h"

namespace signalbox::tensor {
namespace {

std::size_t element_bytes(Precision precision) {
  switch (precision) {
    case Precision::kF32:
      return sizeof(float);
    case Precision::kBf16:
      return sizeof(std::uint16_t);
    case Precision::kInt8:
      return sizeof(std::uint8_t);
  }
  return 0;
}

}  // namespace

void Activations::resize(Precision precision, const DotKernels& dot, std::size_t rows,
                         std::size_t depth) {
  const bool same_rows = precision == precision_ && depth == depth_;
  precision_ = precision;
  dot_ = &dot;
  depth_ = depth;
  // An odd number of cache lines: with a power of two the rows would compete for few cache sets.
  const std::size_t lines =
      (depth * element_bytes(precision) + kDotRowMultiple - 1) / kDotRowMultiple;
  stride_ = (lines | 1) * kDotRowMultiple;
  scale_.resize(rows);
  zero_.resize(rows);
  // Zeroed once: kernels that write rows themselves leave the padding alone, and it must be finite.
  const std::size_t floats = rows * stride_ / sizeof(float);
  if (!data_.grow_zeroed(floats) && !same_rows) data_.resize_zeroed(floats);
}

void Activations::set_row(std::size_t index, const float* x) {
  void* to = row(index);
  switch (precision_) {
    case Precision::kF32:
      std::memcpy(to, x, depth_ * sizeof(float));
      break;
    case Precision::kBf16:
      dot_->to_bf16(x, depth_, static_cast<std::uint16_t*>(to));
      break;
    case Precision::kInt8:
      dot_->quantise(x, depth_, static_cast<std::uint8_t*>(to), scale_.data() + index,
                     zero_.data() + index);
      break;
  }
}

std::size_t Activations::stride_elements() const { return stride_ / element_bytes(precision_); }

void Activations::fill(Product& product, std::size_t first, std::size_t count) const {
  SBX_ASSERT(precision_ != Precision::kF32);
  product.a = bytes() + first * stride_;
  product.a_stride = stride_;
  product.a_scale = scale_.data() + first;
  product.a_zero = zero_.data() + first;
  product.rows = count;
}

const float* Activations::floats(std::size_t first) const {
  SBX_ASSERT(precision_ == Precision::kF32);
  return reinterpret_cast<const float*>(bytes() + first * stride_);
}

}  // namespace signalbox::tensor
