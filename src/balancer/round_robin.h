// Smooth weighted round robin: no replica is better than another, so every option costs the same and the turn decides.
// O(options). See balancer/rotation.h for the proportions.
#pragma once

#include "balancer/policy.h"

namespace signalbox::balancer {

class RoundRobin final : public Policy {
 public:
  std::string_view name() const override { return "round_robin"; }
  void score(std::span<const Option> options, const Context& context,
             std::span<double> costs) override;
};

}  // namespace signalbox::balancer
