// Auto: session, prefix overlap, predicted queueing and fairness in one cost, in seconds (docs/balancing.md):
//
//   cost = expected time to first token there, with what its cache holds of the prompt
//        + what the request costs others there (balancer/fairness.h)
//        - at the conversation's home: what computing the rest would take, times the share of other routers' traffic
//
// The home is the replica of best rank for the session key, or for the head of the conversation when there is none: where
// another router, which sees the same engines and hashes alike, would have put it. A router that is alone has seen every
// prompt itself, so it has no use for a home and goes by what it knows. Nothing is tuned: every constant is a time that is
// measured (discovery/engine_load.h) or a weight with a reason (fairness.h). O(options), after one match of the prompt.
#pragma once

#include "balancer/fleet_view.h"
#include "balancer/policy.h"

namespace signalbox::balancer {

class Auto final : public Policy {
 public:
  std::string_view name() const override { return "auto"; }
  bool wants_prefix() const override { return true; }
  void score(std::span<const Option> options, const Context& context,
             std::span<double> costs) override;

 private:
  FleetView fleet_;
  double typical_tokens_ = 256;  // computed for a request, lately
};

}  // namespace signalbox::balancer
