#include "encoder/safetensors.h"

#include <fmt/core.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "base/hash.h"
#include "base/limits.h"
#include "json/document.h"

namespace signalbox::encoder {
namespace {

struct DtypeName {
  std::string_view name;
  Dtype dtype;
  std::uint64_t bytes;
};
constexpr DtypeName kDtypes[] = {{"F32", Dtype::kF32, 4},
                                 {"F16", Dtype::kF16, 2},
                                 {"BF16", Dtype::kBf16, 2},
                                 {"I8", Dtype::kI8, 1},
                                 {"U8", Dtype::kU8, 1}};

std::uint64_t element_bytes(Dtype dtype) {
  const auto* found = std::ranges::find(kDtypes, dtype, &DtypeName::dtype);
  return found == std::end(kDtypes) ? 0 : found->bytes;
}

float from_half(std::uint16_t half) {
  const std::uint32_t sign = static_cast<std::uint32_t>(half & 0x8000) << 16;
  const std::uint32_t exponent = half >> 10 & 0x1F, fraction = half & 0x3FF;
  if (exponent == 0) {  // zero and subnormal: fraction * 2^-24
    const float size = static_cast<float>(fraction) * 5.9604644775390625e-8f;
    return sign != 0 ? -size : size;
  }
  const std::uint32_t wide = exponent == 31 ? 0xFF : exponent + 112;
  return std::bit_cast<float>(sign | wide << 23 | fraction << 13);
}

// Product of the shape, unless it overflows.
std::optional<std::uint64_t> product(std::span<const std::uint64_t> shape) {
  std::uint64_t count = 1;
  for (const std::uint64_t size : shape) {
    if (__builtin_mul_overflow(count, size, &count)) return std::nullopt;
  }
  return count;
}

Result<json::Value> member(json::Value object, std::string_view key, const std::string& name) {
  auto found = object.find(key);
  if (!found || !*found)
    return fail(Code::kCorrupt, fmt::format("tensor {} has no single {}", name, key));
  return **found;
}

Result<std::vector<std::uint64_t>> unsigned_array(json::Value value, const std::string& name) {
  std::vector<std::uint64_t> numbers;
  if (!value.is_array() || value.size() > 8)
    return fail(Code::kCorrupt, fmt::format("tensor {}: bad array", name));
  for (const json::Value element : value.elements()) {
    const auto number = element.integer();
    if (!number || *number < 0)
      return fail(Code::kCorrupt, fmt::format("tensor {}: bad number", name));
    numbers.push_back(static_cast<std::uint64_t>(*number));
  }
  return numbers;
}

Result<Tensor> read_entry(json::Value entry, const std::string& name,
                          std::span<const std::byte> data) {
  Tensor tensor;
  SBX_TRY(const auto dtype, member(entry, "dtype", name));
  const auto* known = std::ranges::find(kDtypes, dtype.string(), &DtypeName::name);
  if (known != std::end(kDtypes)) tensor.dtype = known->dtype;
  SBX_TRY(const auto shape, member(entry, "shape", name));
  SBX_TRY(tensor.shape, unsigned_array(shape, name));
  SBX_TRY(const auto offsets_value, member(entry, "data_offsets", name));
  SBX_TRY(const auto offsets, unsigned_array(offsets_value, name));
  if (offsets.size() != 2 || offsets[0] > offsets[1] || offsets[1] > data.size()) {
    return fail(Code::kCorrupt, fmt::format("tensor {} lies outside the file", name));
  }
  tensor.data = data.subspan(offsets[0], offsets[1] - offsets[0]);
  std::uint64_t bytes = 0;
  const auto count = product(tensor.shape);
  if (!count || __builtin_mul_overflow(*count, element_bytes(tensor.dtype), &bytes)) {
    return fail(Code::kCorrupt, fmt::format("tensor {}: shape overflows", name));
  }
  if (tensor.dtype != Dtype::kOther && bytes != tensor.data.size()) {
    return fail(Code::kCorrupt, fmt::format("tensor {}: shape does not fit its bytes", name));
  }
  return tensor;
}

}  // namespace

std::uint64_t Tensor::count() const { return product(shape).value_or(0); }

Result<void> Tensor::read(std::uint64_t first, std::span<float> out) const {
  const std::uint64_t total = count();
  if (first > total || out.size() > total - first)
    return fail(Code::kCorrupt, "read past the end of a tensor");
  if (out.empty()) return {};  // memcpy from no bytes at all is undefined
  const std::byte* from = data.data() + first * element_bytes(dtype);
  if (dtype == Dtype::kF32) {
    std::memcpy(out.data(), from, out.size_bytes());
    return {};
  }
  if (dtype != Dtype::kF16 && dtype != Dtype::kBf16)
    return fail(Code::kCorrupt, "tensor does not hold F32, F16 or BF16");
  for (std::size_t i = 0; i < out.size(); ++i) {
    std::uint16_t half = 0;
    std::memcpy(&half, from + i * 2, 2);
    out[i] = dtype == Dtype::kF16 ? from_half(half)
                                  : std::bit_cast<float>(static_cast<std::uint32_t>(half) << 16);
  }
  return {};
}

Result<Safetensors> Safetensors::parse(std::span<const std::byte> bytes) {
  std::uint64_t length = 0;
  if (bytes.size() < sizeof length)
    return fail(Code::kCorrupt, "safetensors: shorter than its length field");
  std::memcpy(&length, bytes.data(), sizeof length);
  const auto rest = bytes.subspan(sizeof length);
  if (length > rest.size() || length > limits::kModelHeaderBytesMax) {
    return fail(Code::kCorrupt, "safetensors: the header is longer than the file or the limit");
  }
  Safetensors parsed;
  parsed.header_ = {reinterpret_cast<const char*>(rest.data()), length};
  const auto document = json::Document::parse(parsed.header_);
  if (!document) return fail(Code::kCorrupt, "safetensors: header: " + document.error().message);
  const json::Value root = document->root();
  if (!root.is_object() || root.size() > limits::kModelTensorsMax) {
    return fail(Code::kCorrupt, "safetensors: the header is not an object of tensors");
  }
  for (const auto& entry : root.members()) {
    std::string name = entry.key.string();
    if (name == "__metadata__") continue;
    if (!entry.value.is_object())
      return fail(Code::kCorrupt, fmt::format("tensor {} is not an object", name));
    SBX_TRY(Tensor tensor, read_entry(entry.value, name, rest.subspan(length)));
    if (!parsed.tensors_.emplace(name, std::move(tensor)).second) {
      return fail(Code::kCorrupt, fmt::format("tensor {} occurs twice", name));
    }
  }
  return parsed;
}

const Tensor* Safetensors::find(const std::string& name) const {
  const auto found = tensors_.find(name);
  return found == tensors_.end() ? nullptr : &found->second;
}

Result<const Tensor*> Safetensors::require(const std::string& name,
                                           std::span<const std::uint64_t> shape) const {
  const Tensor* tensor = find(name);
  if (tensor == nullptr) return fail(Code::kCorrupt, fmt::format("tensor {} is missing", name));
  if (!std::ranges::equal(tensor->shape, shape)) {
    return fail(Code::kCorrupt,
                fmt::format("tensor {} does not have the shape that the configuration says", name));
  }
  return tensor;
}

Result<std::vector<float>> Safetensors::floats(const std::string& name,
                                               std::span<const std::uint64_t> shape) const {
  SBX_TRY(const Tensor* tensor, require(name, shape));
  std::vector<float> values(tensor->count());
  SBX_CHECK_OK(tensor->read(0, values));
  return values;
}

std::string Safetensors::fingerprint() const {
  constexpr std::size_t kSampleBytes = 4096;
  std::uint64_t hash = hash64(header_);
  for (const auto& [name, tensor] : tensors_) {
    const auto sample = tensor.data.first(std::min(tensor.data.size(), kSampleBytes));
    hash = hash64({reinterpret_cast<const char*>(sample.data()), sample.size()}, hash);
  }
  return fmt::format("{:016x}", hash);
}

}  // namespace signalbox::encoder
