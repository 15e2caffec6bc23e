#include "base/random.h"

#include <bit>
#include <random>

#include "base/assert.h"
#include "base/hash.h"

namespace signalbox {

__extension__ using Wide = unsigned __int128;

Random::Random(std::uint64_t seed) {
  for (auto& word : state_) word = mix64(seed += 0x9e3779b97f4a7c15ULL);
}

std::uint64_t Random::next() {
  const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
  const std::uint64_t shifted = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= shifted;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

std::uint64_t Random::below(std::uint64_t bound) {
  SBX_ASSERT(bound > 0);
  // Multiply-shift; the bias is below 2^-64 * bound, irrelevant for routing.
  return static_cast<std::uint64_t>((static_cast<Wide>(next()) * bound) >> 64);
}

double Random::unit() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

std::uint64_t entropy_seed() {
  std::random_device device;
  return (static_cast<std::uint64_t>(device()) << 32) | device();
}

}  // namespace signalbox
