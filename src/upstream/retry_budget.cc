#include "upstream/retry_budget.h"

#include <algorithm>

namespace signalbox::upstream {
namespace {

std::int64_t second_of(TimePoint now) {
  return std::chrono::floor<std::chrono::seconds>(now.time_since_epoch()).count();
}

}  // namespace

RetryBudget::Slot& RetryBudget::slot(TimePoint now) {
  const std::int64_t second = std::max<std::int64_t>(0, second_of(now));
  Slot& slot = slots_[static_cast<std::size_t>(second % kWindowSeconds)];
  if (slot.second != second) slot = {.second = second};
  return slot;
}

void RetryBudget::request(TimePoint now) { ++slot(now).requests; }

bool RetryBudget::take(const config::Retry& settings, TimePoint now) {
  Slot& present = slot(now);
  std::uint64_t requests = 0;
  std::uint64_t retries = 0;
  for (const Slot& past : slots_) {
    if (past.second <= present.second - kWindowSeconds) continue;
    requests += past.requests;
    retries += past.retries;
  }
  const double allowed = settings.budget_ratio * static_cast<double>(requests) +
                         static_cast<double>(settings.budget_min_per_second) * kWindowSeconds;
  if (static_cast<double>(retries) + 1 > allowed) return false;
  ++present.retries;
  return true;
}

}  // namespace signalbox::upstream
