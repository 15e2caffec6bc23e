#include "balancer/prefix_aware.h"

#include <algorithm>

namespace signalbox::balancer {
namespace {

// A request being answered slows prompts beside it about as much as so many prompt tokens: one step of a batch costs a
// fixed time in which some hundred prompt tokens would be computed, shared by the requests in it.
constexpr double kTokensPerRequest = 16;

}  // namespace

void PrefixAware::score(std::span<const Option> options, const Context& context,
                        std::span<double> costs) {
  for (std::size_t i = 0; i < options.size(); ++i) {
    const Option& option = options[i];
    const auto& endpoint = option.endpoint();
    const auto missing = std::max<std::int64_t>(0, context.prefill_tokens - option.cached_tokens);
    const double queued = endpoint.load().view(context.now).backlog_tokens;
    costs[i] = (queued + static_cast<double>(missing) + kTokensPerRequest * endpoint.in_flight()) /
               option.weight();
  }
}

}  // namespace signalbox::balancer
