#include "balancer/least_load.h"

namespace signalbox::balancer {

void LeastLoad::score(std::span<const Option> options, const Context&, std::span<double> costs) {
  for (std::size_t i = 0; i < options.size(); ++i) {
    costs[i] = static_cast<double>(options[i].endpoint().in_flight() + 1) / options[i].weight();
  }
}

}  // namespace signalbox::balancer
