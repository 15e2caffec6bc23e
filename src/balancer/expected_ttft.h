// What a replica is expected to take to this request's first token, in seconds, from what the router knows of its engine at
// this moment (discovery/engine_load.h). The terms of load_aware and auto; docs/balancing.md has the formula. O(1).
#pragma once

#include <cstdint>

#include "balancer/policy.h"

namespace signalbox::balancer {

struct ExpectedTtft {
  double overhead = 0;  // of an empty prompt on an idle engine
  double waiting = 0;   // for prompts that are before this one
  double compute = 0;   // of what the engine does not hold of this prompt
  double distance = 0;  // for leaving this router's zone
  double total() const { return overhead + waiting + compute + distance; }
};

// `missing_tokens`: of this prompt, to be computed there. `typical_tokens`: of a request of other routers, whose length we
// do not know.
ExpectedTtft expected_ttft(const Option& option, const Context& context,
                           const discovery::EngineLoad::View& load, double missing_tokens,
                           double typical_tokens);

}  // namespace signalbox::balancer
