#include "balancer/slow_start.h"

#include <algorithm>

#include "base/hash.h"

namespace signalbox::balancer {

void leave_to_the_warm(std::vector<Option>& options, const Context& context, Random& random) {
  const Duration slow_start = context.set->slow_start();
  const auto share = [&](const Option& option) {
    return option.endpoint().warm_share(context.now, slow_start);
  };
  double warmest = 0;
  double coldest = 1;
  for (const Option& option : options) {
    warmest = std::max(warmest, share(option));
    coldest = std::min(coldest, share(option));
  }
  if (coldest >= warmest) return;
  std::erase_if(options, [&](const Option& option) {
    const double draw =
        context.session
            ? static_cast<double>(mix64(*context.session + option.endpoint().hash()) >> 11) *
                  0x1p-53
            : random.unit();
    return draw * warmest > share(option);
  });
}

}  // namespace signalbox::balancer
