#include "balancer/auto_policy.h"

#include <algorithm>

#include "balancer/expected_ttft.h"
#include "balancer/fairness.h"
#include "balancer/session.h"

namespace signalbox::balancer {
namespace {

constexpr double kTypicalFading = 0.99;

// The option that every router with the same engines would call the conversation's home.
std::size_t home_of(std::span<const Option> options, std::uint64_t conversation) {
  std::size_t best = 0;
  double best_rank = 0;
  for (std::size_t i = 0; i < options.size(); ++i) {
    const double rank =
        session_rank(conversation, options[i].endpoint().hash(), options[i].weight());
    if (i > 0 && rank >= best_rank) continue;
    best = i;
    best_rank = rank;
  }
  return best;
}

// Takes off at the conversation's home what computing it there would take, times the chance that another router has had it
// computed there.
void welcome_home(std::span<const Option> options, const Context& context, const FleetView& fleet,
                  std::span<double> costs) {
  auto conversation = context.session;
  if (!conversation && context.prompt != nullptr) conversation = context.prompt->conversation();
  if (!conversation) return;
  const std::size_t home = home_of(options, *conversation);
  const auto missing =
      std::max<std::int64_t>(0, context.prefill_tokens - options[home].cached_tokens);
  costs[home] -= fleet.foreign_share() * (1 + kOthersCompute) * static_cast<double>(missing) *
                 fleet[home].seconds_per_token;
}

}  // namespace

void Auto::score(std::span<const Option> options, const Context& context, std::span<double> costs) {
  const auto tokens = static_cast<double>(context.prefill_tokens);
  fleet_.read(options, context);
  double missing_least = tokens;
  for (std::size_t i = 0; i < options.size(); ++i) {
    const double missing = std::max(0.0, tokens - static_cast<double>(options[i].cached_tokens));
    const ExpectedTtft ttft =
        expected_ttft(options[i], context, fleet_[i], missing, typical_tokens_);
    costs[i] = ttft.total() + fairness_seconds(options, i, context, fleet_, ttft.compute);
    missing_least = std::min(missing_least, missing);
  }
  if (fleet_.foreign_share() > 0) welcome_home(options, context, fleet_, costs);
  typical_tokens_ = typical_tokens_ * kTypicalFading + missing_least * (1 - kTypicalFading);
}

}  // namespace signalbox::balancer
