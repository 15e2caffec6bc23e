// A hostile adapter folder on a small base: two bytes little-endian length, adapter_config.json of that
// length, then adapter_model.safetensors. Whatever merges must be readable.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "encoder/hub/model_weights.h"
#include "encoder/lora.h"

namespace {

using signalbox::Code;
using signalbox::encoder::LoraAdapter;
using signalbox::encoder::ModelWeights;

// One module of 2 x 3 and a classifier of 2 x 2.
std::string base() {
  const std::string header =
      R"({"model.layer.weight":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},)"
      R"("classifier.weight":{"dtype":"F32","shape":[2,2],"data_offsets":[24,40]}})";
  const std::uint64_t length = header.size();
  std::string bytes(sizeof length, '\0');
  std::memcpy(bytes.data(), &length, sizeof length);
  return bytes + header + std::string(40, '\0');
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::string file = base();
  if (size < 2) return 0;
  const std::size_t length = std::min<std::size_t>(data[0] | data[1] << 8, size - 2);
  auto adapter = LoraAdapter::parse({reinterpret_cast<const char*>(data) + 2, length},
                                    std::as_bytes(std::span(data + 2 + length, size - 2 - length)));
  const auto named = [](Code code) { return code == Code::kCorrupt || code == Code::kUnsupported; };
  if (!adapter) return named(adapter.error().code) ? 0 : (std::abort(), 0);
  auto weights = ModelWeights::parse(std::as_bytes(std::span(file)));
  if (!weights) std::abort();
  if (const auto merged = weights->merge(std::move(*adapter)); !merged)
    return named(merged.error().code) ? 0 : (std::abort(), 0);
  const auto matrix = weights->matrix("layer", 2, 3);
  if (!matrix) return 0;  // replaced by one of another shape
  std::vector<float> row(3);
  if (!matrix->read(1, row)) std::abort();
  if (matrix->read(2, row)) std::abort();  // past the end
  static_cast<void>(weights->linear(signalbox::tensor::scalar_kernels(), "classifier", 2, 2));
  return 0;
}
