// Prefix-aware: the replica that has least left to compute before this request's first token, in prompt tokens: what it was
// sent and has not computed, what of this prompt it does not hold, and an allowance for each request it is answering.
// So a long shared prefix draws requests, a queue repels them, and a prompt that nobody holds goes where least is queued.
// Knows nothing of speeds: for engines of one kind. O(options), after one match of the prompt (index/prefix_index.h).
#pragma once

#include "balancer/policy.h"

namespace signalbox::balancer {

class PrefixAware final : public Policy {
 public:
  std::string_view name() const override { return "prefix_aware"; }
  bool wants_prefix() const override { return true; }
  void score(std::span<const Option> options, const Context& context,
             std::span<double> costs) override;
};

}  // namespace signalbox::balancer
