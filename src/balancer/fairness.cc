#include "balancer/fairness.h"

namespace signalbox::balancer {
namespace {

constexpr double kCopiesForTwiceTheShare = 8;
constexpr double kPatientFactor = 4;

}  // namespace

double fairness_seconds(std::span<const Option> options, std::size_t i, const Context& context,
                        const FleetView& fleet, double compute_seconds) {
  if (context.priority < 0) return 0;
  const double in_flight =
      (options[i].endpoint().in_flight() + fleet[i].foreign_requests) / options[i].weight();
  const double copy_seconds =
      static_cast<double>(context.prefill_tokens) * fleet[i].seconds_per_token;
  const double seconds = kOthersCompute * compute_seconds +
                         fleet.step_seconds() * (in_flight - fleet.mean_in_flight()) +
                         kCopiesForTwiceTheShare * copy_seconds * fleet.excess_share(i);
  return context.priority > 0 ? kPatientFactor * seconds : seconds;
}

}  // namespace signalbox::balancer
