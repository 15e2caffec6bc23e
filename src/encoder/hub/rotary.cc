#include "encoder/hub/rotary.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace signalbox::encoder {
namespace {

// The index (not whole) of the frequency that turns `rotations` times over the original positions.
double turning_index(const RopeConfig& rope, double rotations, std::size_t width) {
  const double original = static_cast<double>(rope.original_positions);
  return static_cast<double>(width) * std::log(original / (rotations * 2 * std::numbers::pi)) /
         (2 * std::log(static_cast<double>(rope.theta)));
}

// Angle a position adds, per pair. YaRN slows the slow ones down by its factor, leaves the fast ones, and
// blends between.
std::vector<double> frequencies(const RopeConfig& rope, std::size_t width) {
  const std::size_t half = width / 2;
  std::vector<double> values(half);
  for (std::size_t i = 0; i < half; ++i) {
    values[i] = std::pow(static_cast<double>(rope.theta),
                         -2.0 * static_cast<double>(i) / static_cast<double>(width));
  }
  if (rope.factor == 1) return values;
  const double low =
      std::max(0.0, std::floor(turning_index(rope, static_cast<double>(rope.beta_fast), width)));
  double high =
      std::min(static_cast<double>(width) - 1,
               std::ceil(turning_index(rope, static_cast<double>(rope.beta_slow), width)));
  if (high == low) high += 0.001;
  for (std::size_t i = 0; i < half; ++i) {
    const double slow = std::clamp((static_cast<double>(i) - low) / (high - low), 0.0, 1.0);
    values[i] *= slow / static_cast<double>(rope.factor) + (1 - slow);
  }
  return values;
}

// YaRN's correction of the temperature of attention.
double amplitude(const RopeConfig& rope) {
  if (rope.attention_factor) return static_cast<double>(*rope.attention_factor);
  return rope.factor == 1 ? 1.0 : 0.1 * std::log(static_cast<double>(rope.factor)) + 1.0;
}

}  // namespace

RotaryTable::RotaryTable(const RopeConfig& rope, std::size_t width, std::size_t positions)
    : half_(width / 2), cosines_(positions * half_), sines_(positions * half_) {
  const auto steps = frequencies(rope, width);
  const double size = amplitude(rope);
  for (std::size_t position = 0; position < positions; ++position) {
    for (std::size_t i = 0; i < half_; ++i) {
      // In single precision like the models were trained; only then reduced and looked up.
      const float angle = static_cast<float>(position) * static_cast<float>(steps[i]);
      cosines_[position * half_ + i] =
          static_cast<float>(std::cos(static_cast<double>(angle)) * size);
      sines_[position * half_ + i] =
          static_cast<float>(std::sin(static_cast<double>(angle)) * size);
    }
  }
}

void RotaryTable::turn(std::size_t position, float* head) const {
  const float* cosines = &cosines_[position * half_];
  const float* sines = &sines_[position * half_];
  for (std::size_t i = 0; i < half_; ++i) {
    const float a = head[i], b = head[i + half_];
    head[i] = a * cosines[i] - b * sines[i];
    head[i + half_] = b * cosines[i] + a * sines[i];
  }
}

}  // namespace signalbox::encoder
