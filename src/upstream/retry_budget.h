// Bounds retries to a share of the traffic, so that a failing fleet is not hit harder because it fails. One per core.
#pragma once

#include "base/clock.h"
#include "config/model.h"

namespace signalbox::upstream {

// A token bucket: each request earns `budget_ratio` of a retry, and `budget_min_per_second` come by time. It never holds
// more than ten seconds' worth of the minimum plus one, so a quiet hour does not pay for a storm.
class RetryBudget {
 public:
  void request(const config::Retry& settings, TimePoint now);
  // Takes one retry if there is one.
  bool take(const config::Retry& settings, TimePoint now);
  double tokens() const { return tokens_; }

 private:
  void refill(const config::Retry& settings, TimePoint now);
  double tokens_ = 1;
  TimePoint refilled_at_{};
};

}  // namespace signalbox::upstream
