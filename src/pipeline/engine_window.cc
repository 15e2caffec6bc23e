#include "pipeline/engine_window.h"

namespace signalbox::pipeline {

void EngineWindows::sample(const discovery::EndpointSet& set, TimePoint now) {
  const std::lock_guard lock(mutex_);
  std::map<std::string, std::deque<Sample>> next;
  const TimePoint oldest = now - set.engine_metrics().window;
  for (const auto& entry : set.endpoints()) {
    const std::string& url = entry.endpoint->url();
    auto& samples = next[url];
    if (const auto known = samples_.find(url); known != samples_.end())
      samples = std::move(known->second);
    // An endpoint that went and came back counts from nothing again.
    const auto totals = entry.endpoint->totals();
    if (!samples.empty() && totals.sent < samples.back().totals.sent) samples.clear();
    samples.push_back({now, totals});
    while (samples.size() > 2 && (samples[1].at <= oldest || samples.size() > kSamplesMax))
      samples.pop_front();
  }
  samples_ = std::move(next);
}

std::optional<EngineRates> EngineWindows::rates(const std::string& url) const {
  const std::lock_guard lock(mutex_);
  const auto known = samples_.find(url);
  if (known == samples_.end()) return std::nullopt;
  const Sample& first = known->second.front();
  const Sample& last = known->second.back();
  EngineRates rates;
  const double span = std::chrono::duration<double>(last.at - first.at).count();
  if (span <= 0) return rates;
  rates.qps = static_cast<double>(last.totals.sent - first.totals.sent) / span;
  const auto finished = last.totals.finished - first.totals.finished;
  if (finished > 0) {
    rates.latency_avg_seconds =
        std::chrono::duration<double>(last.totals.latency_sum - first.totals.latency_sum).count() /
        static_cast<double>(finished);
  }
  return rates;
}

}  // namespace signalbox::pipeline
