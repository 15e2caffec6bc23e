// Rates and means of each engine over a window, for metrics and the log: differences of the endpoints' own totals, taken
// once a second. Bounded by the endpoints of the table and kSamplesMax samples each.
#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "base/clock.h"
#include "discovery/endpoint_table.h"

namespace signalbox::pipeline {

struct EngineRates {
  double qps = 0;                   // requests sent a second
  double latency_avg_seconds = -1;  // of requests finished in the window; -1: none
};

class EngineWindows {
 public:
  // Takes a sample of every endpoint; forgets those that are gone. O(endpoints).
  void sample(const discovery::EndpointSet& set, TimePoint now);
  // Over the window so far. Nothing for an engine that was never sampled.
  std::optional<EngineRates> rates(const std::string& url) const;

 private:
  static constexpr std::size_t kSamplesMax = 3600;
  struct Sample {
    TimePoint at;
    discovery::Endpoint::Totals totals;
  };
  mutable std::mutex mutex_;  // guards samples_: the control loop writes, scrapes read
  std::map<std::string, std::deque<Sample>> samples_;
};

}  // namespace signalbox::pipeline
