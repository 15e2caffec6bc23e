#include "balancer/power_of_two.h"

#include <algorithm>

namespace signalbox::balancer {
namespace {

// Above any load; what was not drawn is taken only when the drawn ones fall away.
constexpr double kNotDrawn = 1e12;
constexpr double kTie = 1e-6;

}  // namespace

void PowerOfTwo::score(std::span<const Option> options, const Context&, std::span<double> costs) {
  std::fill(costs.begin(), costs.end(), kNotDrawn);
  const auto load = [&](std::size_t i) {
    return static_cast<double>(options[i].endpoint().in_flight() + 1) / options[i].weight();
  };
  const auto first = static_cast<std::size_t>(random_.below(options.size()));
  costs[first] = load(first);
  if (options.size() == 1) return;
  // Another one than the first, each with the same chance.
  auto second = static_cast<std::size_t>(random_.below(options.size() - 1));
  if (second >= first) ++second;
  // The first one drawn wins a tie, so that ties are as random as the draw.
  costs[second] = load(second) + kTie;
}

}  // namespace signalbox::balancer
