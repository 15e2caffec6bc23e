#include "balancer/filter.h"

#include <algorithm>

namespace signalbox::balancer {

std::string_view name(Verdict verdict) {
  switch (verdict) {
    case Verdict::kUsable:
      return "usable";
    case Verdict::kUnhealthy:
      return "unhealthy";
    case Verdict::kEjected:
      return "ejected";
    case Verdict::kDraining:
      return "draining";
    case Verdict::kSleeping:
      return "sleeping";
    case Verdict::kNoWeight:
      return "no_weight";
    case Verdict::kExcluded:
      return "excluded";
  }
  return "usable";
}

Verdict judge(const discovery::Replica& replica, TimePoint now, Excluded excluded) {
  const discovery::Endpoint& endpoint = *replica.endpoint;
  if (replica.weight() <= 0) return Verdict::kNoWeight;
  if (std::find(excluded.begin(), excluded.end(), &endpoint) != excluded.end())
    return Verdict::kExcluded;
  if (endpoint.draining()) return Verdict::kDraining;
  if (endpoint.sleeping()) return Verdict::kSleeping;
  if (endpoint.health() == discovery::Health::kUnhealthy) return Verdict::kUnhealthy;
  const discovery::Service service = endpoint.service(now);
  if (service == discovery::Service::kEjected) return Verdict::kEjected;
  if (service == discovery::Service::kHalfOpen && endpoint.trial_running())
    return Verdict::kEjected;
  return Verdict::kUsable;
}

bool has_room(std::span<const exchange::Candidate> candidates, const discovery::EndpointSet& set,
              int requests_max, TimePoint now) {
  bool any_usable = false;
  for (const exchange::Candidate& candidate : candidates) {
    const auto* group = set.find(candidate.model->name);
    if (group == nullptr) continue;
    for (const discovery::Replica& replica : group->replicas) {
      if (judge(replica, now, {}) != Verdict::kUsable) continue;
      any_usable = true;
      if (replica.endpoint->in_flight() < requests_max) return true;
    }
  }
  return !any_usable;
}

bool any_usable(std::span<const exchange::Candidate> candidates, const discovery::EndpointSet& set,
                Excluded excluded, TimePoint now) {
  return std::ranges::any_of(candidates, [&](const exchange::Candidate& candidate) {
    const auto* group = set.find(candidate.model->name);
    return group != nullptr &&
           std::ranges::any_of(group->replicas, [&](const discovery::Replica& replica) {
             return judge(replica, now, excluded) == Verdict::kUsable;
           });
  });
}

Residency residency(const exchange::Candidate& candidate, const discovery::Replica& replica,
                    const discovery::EndpointSet& set) {
  if (candidate.adapter.empty()) return Residency::kResident;
  const auto& served = set.endpoints()[replica.endpoint_index].served;
  if (!served) return Residency::kUnknown;
  return served->has(candidate.adapter) ? Residency::kResident : Residency::kAbsent;
}

}  // namespace signalbox::balancer
