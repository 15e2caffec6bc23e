// The safetensors format: 8 bytes little-endian header length, a JSON object {name: {dtype, shape,
// data_offsets}}, then the data. Everything is checked before use; a tensor that was found lies
// inside the bytes.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace signalbox::encoder {

enum class Dtype : std::uint8_t { kF32, kF16, kBf16, kI8, kU8, kOther };

struct Tensor {
  Dtype dtype = Dtype::kOther;
  std::vector<std::uint64_t> shape;
  std::span<const std::byte>
      data;  // may be unaligned; its size fits dtype and shape (not checked for kOther)

  std::uint64_t count() const;  // elements
  // Elements [first, first + out.size()) as floats; F32, F16 and BF16. Errors: kCorrupt (out of
  // range, other dtype).
  Result<void> read(std::uint64_t first, std::span<float> out) const;
};

class Safetensors {
 public:
  // Borrows the bytes. O(header). Errors: kCorrupt.
  static Result<Safetensors> parse(std::span<const std::byte> bytes);

  const Tensor* find(const std::string& name) const;
  // A tensor that must be there with this shape. Errors: kCorrupt, the message names it.
  Result<const Tensor*> require(const std::string& name,
                                std::span<const std::uint64_t> shape) const;
  // All of a tensor of this shape as floats.
  Result<std::vector<float>> floats(const std::string& name,
                                    std::span<const std::uint64_t> shape) const;
  // Identifies the weights: hash of the header and the first 4 KiB of each tensor, as 16
  // hexadecimal digits. Tells apart models and fine-tuned versions; says nothing about damage deep
  // inside a tensor. About 0.1 ms a tensor when cold.
  std::string fingerprint() const;
  const std::map<std::string, Tensor>& tensors() const { return tensors_; }

 private:
  std::string_view header_;
  std::map<std::string, Tensor> tensors_;
};

}  // namespace signalbox::encoder
