// Fuzz target: batches of KV events as a hostile engine might send them.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/assert.h"
#include "kv/kv_event.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view payload(reinterpret_cast<const char*>(data), size);
  const auto batch = signalbox::kv::decode_batch(payload);
  if (!batch) return 0;
  // Every element takes a byte at least, so nothing grows past the input.
  for (const auto& event : batch->events) {
    const auto* stored = std::get_if<signalbox::kv::Stored>(&event);
    if (stored != nullptr) SBX_ASSERT(stored->blocks.size() + stored->tokens.size() <= size);
  }
  return 0;
}
