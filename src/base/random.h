// Seeded random numbers (xoshiro256**, Blackman and Vigna 2018). Not for secrets. One per owner, never shared.
#pragma once

#include <array>
#include <cstdint>

namespace signalbox {

class Random {
 public:
  explicit Random(std::uint64_t seed);
  std::uint64_t next();
  // Uniform in [0, bound); bound > 0.
  std::uint64_t below(std::uint64_t bound);
  // Uniform in [0, 1).
  double unit();

 private:
  std::array<std::uint64_t, 4> state_;
};

// A seed from the operating system, for production use.
std::uint64_t entropy_seed();

}  // namespace signalbox
