// A hostile model file: whatever parses must be readable to its last element, and nothing else may
// happen.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <vector>

#include "encoder/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto file = signalbox::encoder::Safetensors::parse(std::as_bytes(std::span(data, size)));
  if (!file) return file.error().code == signalbox::Code::kCorrupt ? 0 : (std::abort(), 0);
  static_cast<void>(file->fingerprint());
  for (const auto& [name, tensor] : file->tensors()) {
    const std::uint64_t count = tensor.count();
    std::vector<float> values(count < 4096 ? count : 4096);
    static_cast<void>(tensor.read(0, values));
    static_cast<void>(tensor.read(count - values.size(), values));
    std::vector<float> one(1);
    if (tensor.read(count, one)) std::abort();  // past the end
    static_cast<void>(file->floats(name, std::vector<std::uint64_t>{1, 2}));
  }
  return 0;
}
