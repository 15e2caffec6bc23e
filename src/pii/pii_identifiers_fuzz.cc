// Any bytes through all recognisers; what they find must lie in order inside the text.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/assert.h"
#include "pii/identifiers.h"

// NOLINTNEXTLINE(readability-identifier-naming): the name is libFuzzer's
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  std::size_t at = 0;
  for (const signalbox::pii::Entity& entity : signalbox::pii::find_identifiers(text)) {
    SBX_ASSERT(entity.begin >= at && entity.begin < entity.end && entity.end <= size);
    at = entity.end;
  }
  return 0;
}
