// Balancer: filter -> score -> pick over (model or adapter, replica) pairs. One per core; scratch space is reused, so a
// pick allocates nothing in steady state. Cost: O(replicas of the candidates looked at), and of policies that want prefixes
// a match and an insert of the prompt (index/prefix_index.h).
//
// Order of preference:
//   1. the first candidate model that has a usable replica (all candidates at once if the policy spans them), and of
//      its replicas those that hold the wanted adapter, before those that may, before those that do not;
//   2. panic: if no candidate has a usable replica, unhealthy and ejected ones are used as if they were well, because an
//      answer from a suspect engine beats none. Draining, sleeping, excluded and weight-0 replicas are never used;
//   3. for the decode half of a disaggregated request, the same among replicas of the other half;
//   4. otherwise kUnavailable.
#pragma once

#include <array>
#include <span>
#include <vector>

#include "balancer/auto_policy.h"
#include "balancer/filter.h"
#include "balancer/kv_aware.h"
#include "balancer/kv_lookup.h"
#include "balancer/least_load.h"
#include "balancer/load_aware.h"
#include "balancer/policy.h"
#include "balancer/power_of_two.h"
#include "balancer/prefix_aware.h"
#include "balancer/round_robin.h"
#include "balancer/session.h"
#include "balancer/session_md5.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/random.h"

namespace signalbox::balancer {

// What was chosen. The request counts as in flight on its endpoint until `in_flight` ends.
struct Pick {
  const exchange::Candidate* candidate = nullptr;
  const discovery::Replica* replica = nullptr;  // lives in the set of the context
  discovery::InFlight in_flight;
  bool panic = false;              // no replica was usable; this one is suspect
  bool trial = false;              // tests a half-open endpoint
  std::string_view policy;         // static name, for headers and metrics
  std::int64_t prompt_tokens = 0;  // as estimated
  std::int64_t cached_tokens =
      0;  // of them, believed to be in the replica's cache; 0 if nobody asked
  exchange::CacheSource cache_source = exchange::CacheSource::kEstimate;  // of cached_tokens
};

// The policy's word in configuration, headers and metrics.
std::string_view policy_name(config::BalancerPolicy policy);

class Balancer {
 public:
  // The seed of policies that draw lots.
  explicit Balancer(std::uint64_t seed = entropy_seed())
      : random_(mix64(seed)), power_of_two_(seed) {}
  Balancer(const Balancer&) = delete;
  Balancer& operator=(const Balancer&) = delete;

  // Errors: kUnavailable, the message says whether models have no backends or which replicas are left out and why.
  Result<Pick> pick(std::span<const exchange::Candidate> candidates, const Context& context,
                    Excluded excluded);

 private:
  Policy& policy_of(const discovery::ReplicaGroup& group);
  void collect(const exchange::Candidate& candidate, std::size_t index, const Context& context,
               Excluded excluded, bool panic);
  void look_up_prefixes(const exchange::Candidate& candidate, std::size_t index,
                        const Context& context);
  Pick take(const Option& option, const Context& context, const Policy& policy, bool trial,
            bool panic);
  void keep_best_residency(const Context& context);
  std::optional<Pick> choose(const Context& context, bool panic);
  std::optional<Pick> pick_from(std::span<const exchange::Candidate> candidates,
                                const Context& context, Excluded excluded, bool panic);

  Random random_;  // of slow start
  RoundRobin round_robin_;
  LeastLoad least_load_;
  PowerOfTwo power_of_two_;
  Session session_;
  SessionMd5 session_md5_;
  PrefixAware prefix_aware_;
  LoadAware load_aware_;
  KvAware kv_aware_;
  Auto auto_;
  std::vector<Option> options_;  // scratch of one pick
  std::vector<double> costs_;
  index::Matches matches_;
  KvLookup kv_lookup_;
};

}  // namespace signalbox::balancer
