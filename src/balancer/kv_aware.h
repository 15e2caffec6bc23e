// KV-aware: the least prompt to compute before the first token, by what the engines say themselves that they hold
// (index/kv_index.h), over GPU, CPU and storage tiers. The cost is that of prefix_aware, with exact figures in the place of
// estimates:
//
//   (queued prompt tokens + tokens of this prompt that are missing there + 16 a running request) / weight
//
// Where an engine has not spoken, or the prompt's token ids are not to be had in time, its estimate stands in, so that the
// policy is never worse informed than prefix_aware. O(options), after the lookups.
#pragma once

#include "balancer/prefix_aware.h"

namespace signalbox::balancer {

class KvAware final : public Policy {
 public:
  std::string_view name() const override { return "kv_aware"; }
  bool wants_prefix() const override { return true; }
  void score(std::span<const Option> options, const Context& context,
             std::span<double> costs) override {
    by_missing_tokens_.score(options, context, costs);
  }

 private:
  PrefixAware by_missing_tokens_;
};

}  // namespace signalbox::balancer
