// Slow start: an engine that is new or back has a cold cache, and a burst of everything that it is now best for would queue
// there. Its share of the requests grows linearly over `signalbox.health.slow_start`, whatever the policy.
#pragma once

#include <vector>

#include "balancer/policy.h"
#include "base/random.h"

namespace signalbox::balancer {

// Takes out options that are warming up, each with the probability of what it lacks to the warmest one. A session draws the
// same number each time, so it moves to a new engine once and stays. O(options), no draw unless something warms up.
void leave_to_the_warm(std::vector<Option>& options, const Context& context, Random& random);

}  // namespace signalbox::balancer
