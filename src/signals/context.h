// Signal "context": is the estimated size of the request within a band of tokens, both ends included?
#pragma once

#include <span>
#include <vector>

#include "config/model.h"
#include "signals/inputs.h"

namespace signalbox::signals {

class Contexts {
 public:
  Contexts() = default;
  explicit Contexts(std::span<const config::ContextRule> rules) {
    for (const auto& rule : rules) bands_.push_back({rule.min_tokens, rule.max_tokens});
  }
  exchange::SignalValue evaluate(std::uint32_t rule, const Inputs& inputs) const {
    const std::int64_t tokens = inputs.request.context_tokens;
    return matched(tokens >= bands_[rule].min_tokens && tokens <= bands_[rule].max_tokens);
  }

 private:
  struct Band {
    std::int64_t min_tokens;
    std::int64_t max_tokens;
  };
  std::vector<Band> bands_;
};

}  // namespace signalbox::signals
