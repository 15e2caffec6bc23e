// Load-aware: the replica with the least expected time to first token (balancer/expected_ttft.h), caches left out of
// account: what is queued there in prompt tokens, at the speed the engine has shown, and the batch it is answering. For
// traffic without shared prefixes on engines of different speeds. O(options).
#pragma once

#include "balancer/fleet_view.h"
#include "balancer/policy.h"

namespace signalbox::balancer {

class LoadAware final : public Policy {
 public:
  std::string_view name() const override { return "load_aware"; }
  void score(std::span<const Option> options, const Context& context,
             std::span<double> costs) override;

 private:
  FleetView fleet_;
};

}  // namespace signalbox::balancer
