// Numbers for the tests of this folder.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/random.h"

namespace signalbox::tensor::testing {

// Uniform in [-size, size), the same for the same seed.
inline std::vector<float> noise(std::size_t count, std::uint64_t seed, float size = 1.0f) {
  Random random(seed);
  std::vector<float> values(count);
  for (float& value : values) value = static_cast<float>(random.unit() * 2 - 1) * size;
  return values;
}

}  // namespace signalbox::tensor::testing
