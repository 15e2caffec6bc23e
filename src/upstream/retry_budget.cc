#include "upstream/retry_budget.h"

#include <algorithm>

namespace signalbox::upstream {
namespace {

constexpr double kHoldSeconds = 10;

double capacity(const config::Retry& settings) {
  return 1 + kHoldSeconds * static_cast<double>(settings.budget_min_per_second);
}

}  // namespace

void RetryBudget::refill(const config::Retry& settings, TimePoint now) {
  if (refilled_at_ == TimePoint{}) {
    tokens_ = capacity(settings);
  } else {
    tokens_ += seconds(now - refilled_at_) * static_cast<double>(settings.budget_min_per_second);
  }
  refilled_at_ = now;
  tokens_ = std::min(tokens_, capacity(settings));
}

void RetryBudget::request(const config::Retry& settings, TimePoint now) {
  refill(settings, now);
  tokens_ = std::min(tokens_ + settings.budget_ratio, capacity(settings));
}

bool RetryBudget::take(const config::Retry& settings, TimePoint now) {
  refill(settings, now);
  if (tokens_ < 1) return false;
  tokens_ -= 1;
  return true;
}

}  // namespace signalbox::upstream
