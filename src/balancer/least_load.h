// Least load: requests in flight, this one included, over weight. Counts are this process's own, exact at this moment
// over all its cores and all models of the endpoint. Ties go by turn, so an idle fleet is used evenly. O(options).
#pragma once

#include "balancer/policy.h"

namespace signalbox::balancer {

class LeastLoad final : public Policy {
 public:
  std::string_view name() const override { return "least_load"; }
  void score(std::span<const Option> options, const Context& context,
             std::span<double> costs) override;
};

}  // namespace signalbox::balancer
