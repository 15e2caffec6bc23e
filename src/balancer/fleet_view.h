// The loads of all options of one pick, read once, with their speeds made comparable: all share one line, the mean of their
// fits, and each is as many times slower or faster as its own times say in sum. One that has shown little is believed to be
// like the others, so that with few observations, or unlucky ones, it is neither avoided for ever nor run over. O(options);
// allocates nothing in steady state.
#pragma once

#include <span>
#include <vector>

#include "balancer/policy.h"

namespace signalbox::balancer {

class FleetView {
 public:
  void read(std::span<const Option> options, const Context& context);
  const discovery::EngineLoad::View& operator[](std::size_t i) const { return loads_[i]; }
  // Length of prompts lately, in tokens.
  double typical_prompt() const { return typical_prompt_; }
  // Requests in flight per weight, this router's own and those of others.
  double mean_in_flight() const { return mean_in_flight_; }
  // The replica's share of this router's recent requests above what its weight and chance explain; 0 if there is none.
  double excess_share(std::size_t i) const { return excess_shares_[i]; }
  // Share of other routers' requests in those in flight; 0 when this router is alone.
  double foreign_share() const { return foreign_share_; }

 private:
  std::vector<discovery::EngineLoad::View> loads_;
  std::vector<double> excess_shares_;
  double typical_prompt_ = 0;
  double mean_in_flight_ = 0;
  double foreign_share_ = 0;
};

}  // namespace signalbox::balancer
