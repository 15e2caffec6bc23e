// EndpointTable::report: passive outlier ejection.
#include <algorithm>
#include <cstdint>

#include "base/limits.h"
#include "base/log.h"
#include "discovery/endpoint_table.h"

namespace signalbox::discovery {
namespace {

bool in_service(const Endpoint& endpoint, TimePoint now) {
  return endpoint.service(now) == Service::kOpen && endpoint.health() != Health::kUnhealthy &&
         !endpoint.draining();
}

// Length of ejection number `count` (from 0): doubles until kEjectionGrowthMax times the first.
Duration ejection_length(Duration first, int count) {
  std::int64_t factor = 1;
  for (int i = 0; i < count && factor < limits::kEjectionGrowthMax; ++i) factor *= 2;
  return first * std::min<std::int64_t>(factor, limits::kEjectionGrowthMax);
}

std::size_t ejected_max(std::size_t total, int percent, Outcome outcome) {
  if (percent <= 0) return 0;
  if (outcome == Outcome::kUnreachable) return total;
  return std::max<std::size_t>(1, total * static_cast<std::size_t>(std::min(percent, 100)) / 100);
}

// Groups of one are left out of account: there the balancer's panic mode keeps using the endpoint anyway.
bool may_eject(const EndpointSet& set, const EndpointEntry& entry, Outcome outcome, TimePoint now) {
  bool has_peers = false;
  for (const std::size_t index : entry.groups) {
    const auto& replicas = set.groups()[index].replicas;
    std::size_t total = 0;
    std::size_t usable_others = 0;
    std::size_t ejected_others = 0;
    for (std::size_t i = 0; i < replicas.size(); ++i) {
      const Endpoint& other = *replicas[i].endpoint;
      const bool repeated =
          std::any_of(replicas.begin(), replicas.begin() + static_cast<std::ptrdiff_t>(i),
                      [&](const Replica& seen) { return seen.endpoint.get() == &other; });
      if (repeated) continue;
      ++total;
      if (&other == entry.endpoint.get()) continue;
      if (replicas[i].weight() > 0 && in_service(other, now)) ++usable_others;
      if (other.service(now) != Service::kOpen) ++ejected_others;
    }
    if (total < 2) continue;
    has_peers = true;
    if (usable_others == 0) return false;
    const int percent = entry.health.ejected_percent_max;
    if (ejected_others + 1 > ejected_max(total, percent, outcome)) return false;
  }
  return has_peers;
}

}  // namespace

Transition EndpointTable::eject(const EndpointSet& set, const EndpointEntry& entry, Outcome outcome,
                                TimePoint now) {
  const std::scoped_lock lock(ejection_mutex_);
  Endpoint& endpoint = *entry.endpoint;
  auto& state = endpoint.state_;
  const Service service = endpoint.service(now);
  if (service == Service::kEjected) return Transition::kNone;  // another core was first
  // A half-open endpoint is ejected already: a failed trial only prolongs that, so the floor does not change.
  if (service == Service::kOpen && !may_eject(set, entry, outcome, now)) return Transition::kNone;

  const std::int64_t now_ns = now.time_since_epoch().count();
  const std::int64_t returned = state.returned_at_ns.load(std::memory_order_relaxed);
  std::int32_t count = state.ejections.load(std::memory_order_relaxed);
  const Duration longest = ejection_length(entry.health.ejection_time, limits::kEjectionGrowthMax);
  if (service == Service::kOpen && returned != Endpoint::kNever &&
      now_ns - returned > longest.count())
    count = 0;
  const Duration length = ejection_length(entry.health.ejection_time, count);
  state.ejections.store(count + 1, std::memory_order_relaxed);
  state.consecutive_failures.store(0, std::memory_order_relaxed);
  state.ejected_until_ns.store(now_ns + length.count(), std::memory_order_relaxed);
  ejections_total_.fetch_add(1, std::memory_order_relaxed);
  log::warning("endpoint {} ejected for {:.1f} s after failed requests", endpoint.url(),
               seconds(length));
  return Transition::kEjected;
}

Transition EndpointTable::fail_once(const EndpointSet& set, const EndpointEntry& entry,
                                    Outcome outcome, TimePoint now) {
  Endpoint& endpoint = *entry.endpoint;
  const std::int32_t failures =
      endpoint.state_.consecutive_failures.fetch_add(1, std::memory_order_relaxed) + 1;
  const Service service = endpoint.service(now);
  if (service == Service::kEjected)
    return Transition::kNone;  // a straggler sent before the ejection
  if (service == Service::kOpen && failures < entry.health.eject_after) return Transition::kNone;
  return eject(set, entry, outcome, now);
}

Transition EndpointTable::report(const EndpointSet& set, Endpoint& endpoint, Outcome outcome,
                                 TimePoint now) {
  auto& state = endpoint.state_;
  if (outcome == Outcome::kNeutral) return Transition::kNone;
  if (outcome == Outcome::kFailure || outcome == Outcome::kUnreachable) {
    const EndpointEntry* entry = set.find_endpoint(endpoint);
    return entry == nullptr ? Transition::kNone : fail_once(set, *entry, outcome, now);
  }
  // The usual case writes nothing: the line stays shared between cores.
  if (endpoint.consecutive_failures() != 0)
    state.consecutive_failures.store(0, std::memory_order_relaxed);
  if (endpoint.service(now) != Service::kHalfOpen) return Transition::kNone;
  const std::scoped_lock lock(ejection_mutex_);
  if (endpoint.service(now) != Service::kHalfOpen) return Transition::kNone;
  state.returned_at_ns.store(now.time_since_epoch().count(), std::memory_order_relaxed);
  state.ejected_until_ns.store(Endpoint::kNever, std::memory_order_relaxed);
  log::info("endpoint {} is back in service", endpoint.url());
  return Transition::kReturned;
}

}  // namespace signalbox::discovery
