// Filters: what must not be used, and what should be avoided. Each replica gets one verdict; `explain` shows it.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "balancer/policy.h"

namespace signalbox::balancer {

enum class Verdict : std::uint8_t {
  kUsable,
  kUnhealthy,  // active check failed
  kEjected,    // passive ejection, or half open with its trial under way
  kDraining,   // finishes what it has
  kSleeping,   // until somebody wakes it
  kNoWeight,   // weight 0: takes no traffic
  kExcluded,   // already tried by this request
};
std::string_view name(Verdict verdict);

// Endpoints that this request has tried. A handful at most, so a list.
using Excluded = std::span<const discovery::Endpoint* const>;

inline constexpr int kVerdictCount = static_cast<int>(Verdict::kExcluded) + 1;

// The first reason in the order no weight, excluded, draining, sleeping, unhealthy, ejected. O(excluded).
Verdict judge(const discovery::Replica& replica, TimePoint now, Excluded excluded);

// Whether some usable replica of some candidate has fewer than `requests_max` requests, or none is usable at all: then
// there is nothing to wait for. O(replicas).
bool has_room(std::span<const exchange::Candidate> candidates, const discovery::EndpointSet& set,
              int requests_max, TimePoint now);

// Whether some replica of some candidate is usable. O(replicas * excluded).
bool any_usable(std::span<const exchange::Candidate> candidates, const discovery::EndpointSet& set,
                Excluded excluded, TimePoint now);

// Where the adapter of a candidate is, as far as the engines told: on the replica, unknown, or elsewhere. Candidates
// without an adapter are resident everywhere.
enum class Residency : std::uint8_t { kResident, kUnknown, kAbsent };
Residency residency(const exchange::Candidate& candidate, const discovery::Replica& replica,
                    const discovery::EndpointSet& set);

}  // namespace signalbox::balancer
