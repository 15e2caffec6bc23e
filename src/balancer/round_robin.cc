#include "balancer/round_robin.h"

#include <algorithm>

namespace signalbox::balancer {

void RoundRobin::score(std::span<const Option>, const Context&, std::span<double> costs) {
  std::fill(costs.begin(), costs.end(), 0.0);
}

}  // namespace signalbox::balancer
