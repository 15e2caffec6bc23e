#include "balancer/fairness.h"

namespace signalbox::balancer {
namespace {

// A step of a batch takes 5 to 30 ms on the accelerators of these years. Not fitted: what a router cannot see (others'
// prompts, caches it does not know of) shows up as longer steps, and would turn this term into the only one.
constexpr double kStepSeconds = 0.008;
constexpr double kCopiesForTwiceTheShare = 8;
constexpr double kPatientFactor = 4;

}  // namespace

double fairness_seconds(std::span<const Option> options, std::size_t i, const Context& context,
                        const FleetView& fleet, double compute_seconds) {
  if (context.priority < 0) return 0;
  const double in_flight =
      (options[i].endpoint().in_flight() + fleet[i].foreign_requests) / options[i].weight();
  // Of a typical prompt: by its own, long ones would leave a favoured replica and short ones stay.
  const double copy_seconds = fleet.typical_prompt() * fleet[i].seconds_per_token;
  const double seconds = kOthersCompute * compute_seconds +
                         kStepSeconds * (in_flight - fleet.mean_in_flight()) +
                         kCopiesForTwiceTheShare * copy_seconds * fleet.excess_share(i);
  return context.priority > 0 ? kPatientFactor * seconds : seconds;
}

}  // namespace signalbox::balancer
