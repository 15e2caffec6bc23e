// Bounds retries to a share of the traffic, so that a failing fleet is not hit harder because it fails. One per core.
#pragma once

#include <array>
#include <cstdint>

#include "base/clock.h"
#include "config/model.h"

namespace signalbox::upstream {

// In any ten seconds there are at most `budget_ratio` retries per request made in them, plus `budget_min_per_second` for
// each second. Counted in slots of a second. O(slots) a call, a few nanoseconds.
class RetryBudget {
 public:
  // Counts a request.
  void request(TimePoint now);
  // Takes one retry if there is one.
  bool take(const config::Retry& settings, TimePoint now);

 private:
  static constexpr int kWindowSeconds = 10;
  struct Slot {
    std::int64_t second = -1;
    std::uint64_t requests = 0;
    std::uint64_t retries = 0;
  };
  Slot& slot(TimePoint now);
  std::array<Slot, kWindowSeconds> slots_;
};

}  // namespace signalbox::upstream
