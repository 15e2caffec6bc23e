// What a request costs others, in seconds: the part of a cost that its own time to first token does not show.
//   - Prompts that arrive while this one is computed wait for it, and answers under way pause for it: its compute time once
//     more. That speaks for replicas that hold more of it, even where another would begin sooner.
//   - Each request in flight makes every step of its batch longer: one step's time for each above the fleet's mean.
//   - A replica that gets more than its share of the requests, as one does that holds what everybody asks for, is on its way
//     to being overrun: at an eighth above what chance explains, as much as computing a typical prompt once more elsewhere,
//     after which two hold it.
// Urgent requests (Context::priority below 0) do not count it; those that can wait count it four times. O(1).
#pragma once

#include "balancer/fleet_view.h"
#include "balancer/policy.h"

namespace signalbox::balancer {

// How often a prompt's compute time counts: for itself, and for those that wait for it.
inline constexpr double kOthersCompute = 1;

// Of options[i], whose engine would take `compute_seconds` for what it does not hold of the prompt.
double fairness_seconds(std::span<const Option> options, std::size_t i, const Context& context,
                        const FleetView& fleet, double compute_seconds);

}  // namespace signalbox::balancer
