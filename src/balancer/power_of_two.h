// Power of two choices (Mitzenmacher 2001): two replicas at random, the one with fewer requests in flight over weight of
// them. Nearly as even as least load, and routers that do not see each other's load do not all run to the same replica.
// O(options), of which two are looked at.
#pragma once

#include "balancer/policy.h"
#include "base/random.h"

namespace signalbox::balancer {

class PowerOfTwo final : public Policy {
 public:
  explicit PowerOfTwo(std::uint64_t seed) : random_(seed) {}
  std::string_view name() const override { return "power_of_two"; }
  void score(std::span<const Option> options, const Context& context,
             std::span<double> costs) override;

 private:
  Random random_;
};

}  // namespace signalbox::balancer
