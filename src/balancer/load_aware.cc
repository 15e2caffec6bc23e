#include "balancer/load_aware.h"

#include "balancer/expected_ttft.h"
#include "balancer/fairness.h"

namespace signalbox::balancer {

void LoadAware::score(std::span<const Option> options, const Context& context,
                      std::span<double> costs) {
  const auto tokens = static_cast<double>(context.prefill_tokens);
  fleet_.read(options, context);
  for (std::size_t i = 0; i < options.size(); ++i) {
    const ExpectedTtft ttft = expected_ttft(options[i], context, fleet_[i], tokens, tokens);
    costs[i] = ttft.total() + fairness_seconds(options, i, context, fleet_, ttft.compute);
  }
}

}  // namespace signalbox::balancer
