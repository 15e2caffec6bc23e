#include "balancer/fleet_view.h"

#include <algorithm>
#include <cmath>

namespace signalbox::balancer {
namespace {

// Observations after which an engine's own speed counts as much as its peers'.
constexpr double kPeersWeight = 50;
// Of the latest prompt in the mean length of prompts.
constexpr double kTypicalShare = 0.01;
// Deviations that are still taken for chance.
constexpr double kChance = 2;

// How many times as long as the fleet's fit says an engine takes. Of its own fit only this is believed: where an engine has
// dropped what it was thought to hold, short prompts take long, its line lies flatter, and it would seem the fastest of all
// for long ones, get more of them, and drop more. By the sum of its times it seems slow instead, and recovers.
double slowness(const discovery::EngineLoad::View& load, double per_token, double overhead) {
  const double expected = overhead + load.mean_tokens * per_token;
  if (load.mean_seconds <= 0 || expected <= 0) return 1;
  return 1 + (load.mean_seconds / expected - 1) * load.evidence / (load.evidence + kPeersWeight);
}

}  // namespace

void FleetView::read(std::span<const Option> options, const Context& context) {
  typical_prompt_ +=
      kTypicalShare * (static_cast<double>(context.prefill_tokens) - typical_prompt_);
  loads_.clear();
  double evidence = 0;
  double per_token = 0;
  double overhead = 0;
  double own = 0;
  double foreign = 0;
  double recent = 0;
  double weight = 0;
  for (const Option& option : options) {
    loads_.push_back(option.endpoint().load().view(context.now));
    const auto& load = loads_.back();
    // A trace of evidence stands for the priors, which hold when nobody has shown anything.
    const double seen = load.evidence + 1e-3;
    evidence += seen;
    per_token += seen * load.seconds_per_token;
    overhead += seen * load.overhead_seconds;
    recent += load.recent_requests;
    own += option.endpoint().in_flight();
    foreign += load.foreign_requests;
    weight += option.weight();
  }
  mean_in_flight_ = (own + foreign) / weight;
  foreign_share_ = foreign > 0 ? foreign / (own + foreign + 1) : 0;
  // By chance, counts stray from their mean by its root; twice that happens once in forty times.
  excess_shares_.clear();
  for (std::size_t i = 0; i < options.size(); ++i) {
    const double expected = recent * options[i].weight() / weight;
    const double usual = expected + kChance * std::sqrt(expected);
    excess_shares_.push_back(
        expected > 0 ? std::max(0.0, loads_[i].recent_requests - usual) / expected : 0);
  }
  per_token /= evidence;
  overhead /= evidence;
  for (auto& load : loads_) {
    const double factor = slowness(load, per_token, overhead);
    load.seconds_per_token = per_token * factor;
    load.overhead_seconds = overhead * factor;
  }
}

}  // namespace signalbox::balancer
