// Rotary position embedding: cosines and sines of all positions, computed once at load.
#pragma once

#include <cstddef>
#include <vector>

#include "encoder/hub/hub_config.h"

namespace signalbox::encoder {

class RotaryTable {
 public:
  RotaryTable() = default;
  // For heads of `width` floats, which is even, and positions 0 .. positions - 1.
  RotaryTable(const RopeConfig& rope, std::size_t width, std::size_t positions);
  // Turns one head of the token at `position` in place: element i with element i + width / 2.
  void turn(std::size_t position, float* head) const;
  std::size_t positions() const { return half_ == 0 ? 0 : cosines_.size() / half_; }

 private:
  std::size_t half_ = 0;
  std::vector<float> cosines_, sines_;  // [positions][half]
};

}  // namespace signalbox::encoder
