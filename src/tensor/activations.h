// Rows of activations in the format that a layer's products want them in.
#pragma once

#include <cstddef>

#include "tensor/buffer.h"
#include "tensor/dot_kernels.h"
#include "tensor/precision.h"

namespace signalbox::tensor {

class Activations {
 public:
  // Room for `rows` rows of `depth` values; content is lost. In kF32 `dot` is not used.
  void resize(Precision precision, const DotKernels& dot, std::size_t rows, std::size_t depth);
  // Converts a row of `depth` floats. Different rows may be set by different threads at once.
  void set_row(std::size_t row, const float* x);

  // Where a kernel may write a row itself: floats or bf16 (not in int8, which needs the whole row).
  void* row(std::size_t index) { return bytes() + index * stride_; }
  // Elements from row to row, for such a kernel.
  std::size_t stride_elements() const;

  // The left side of a product over rows first..first+count-1 (kBf16, kInt8).
  void fill(Product& product, std::size_t first, std::size_t count) const;
  // The same as plain floats (kF32).
  const float* floats(std::size_t first) const;

  Precision precision() const { return precision_; }

 private:
  std::byte* bytes() { return reinterpret_cast<std::byte*>(data_.data()); }
  const std::byte* bytes() const { return reinterpret_cast<const std::byte*>(data_.data()); }

  Precision precision_ = Precision::kF32;
  const DotKernels* dot_ = nullptr;
  std::size_t depth_ = 0;
  std::size_t stride_ = 0;  // bytes
  Buffer data_, scale_, zero_;
};

}  // namespace signalbox::tensor
