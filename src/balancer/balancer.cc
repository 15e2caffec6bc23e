#include "balancer/balancer.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "balancer/rotation.h"
#include "balancer/slow_start.h"

namespace signalbox::balancer {
namespace {

// What stands in the way, counted by reason: "3 replicas: 2 unhealthy, 1 excluded".
std::string why_none(std::span<const exchange::Candidate> candidates, const Context& context,
                     Excluded excluded) {
  std::array<int, kVerdictCount> counts{};
  int total = 0;
  for (const auto& candidate : candidates) {
    const auto* group = context.set->find(candidate.model->name);
    if (group == nullptr) continue;
    for (const auto& replica : group->replicas) {
      ++counts[static_cast<std::size_t>(judge(replica, context.now, excluded))];
      ++total;
    }
  }
  if (total == 0) return "no backend serves the requested model";
  std::string text = "no usable replica of " + std::to_string(total);
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] == 0) continue;
    text += ", " + std::to_string(counts[i]) + " " + std::string(name(static_cast<Verdict>(i)));
  }
  return text;
}

bool serves(discovery::Role has, discovery::Role wanted) {
  return has == wanted || has == discovery::Role::kAny || wanted == discovery::Role::kAny;
}

// The token ids at hand are those of this candidate's model.
bool has_tokens(const Context& context, std::size_t candidate) {
  return context.tokens != nullptr && context.tokens->source != exchange::TokenSource::kNone &&
         context.tokens->candidate == candidate;
}

}  // namespace

std::string_view policy_name(config::BalancerPolicy policy) {
  switch (policy) {
    case config::BalancerPolicy::kRoundRobin:
      return "round_robin";
    case config::BalancerPolicy::kLeastLoad:
      return "least_load";
    case config::BalancerPolicy::kPowerOfTwo:
      return "power_of_two";
    case config::BalancerPolicy::kSession:
      return "session";
    case config::BalancerPolicy::kSessionMd5:
      return "session_md5";
    case config::BalancerPolicy::kPrefixAware:
      return "prefix_aware";
    case config::BalancerPolicy::kLoadAware:
      return "load_aware";
    case config::BalancerPolicy::kKvAware:
      return "kv_aware";
    case config::BalancerPolicy::kAuto:
      return "auto";
  }
  return "auto";
}

Policy& Balancer::policy_of(const discovery::ReplicaGroup& group) {
  switch (group.policy) {
    case config::BalancerPolicy::kRoundRobin:
      return round_robin_;
    case config::BalancerPolicy::kLeastLoad:
      return least_load_;
    case config::BalancerPolicy::kPowerOfTwo:
      return power_of_two_;
    case config::BalancerPolicy::kSession:
      return session_;
    case config::BalancerPolicy::kSessionMd5:
      return session_md5_;
    case config::BalancerPolicy::kPrefixAware:
      return prefix_aware_;
    case config::BalancerPolicy::kLoadAware:
      return load_aware_;
    case config::BalancerPolicy::kKvAware:
      return kv_aware_;
    case config::BalancerPolicy::kAuto:
      return auto_;
  }
  return round_robin_;
}

void Balancer::collect(const exchange::Candidate& candidate, std::size_t index,
                       const Context& context, Excluded excluded, bool panic) {
  const auto* group = context.set->find(candidate.model->name);
  if (group == nullptr) return;
  for (const auto& replica : group->replicas) {
    if (!serves(replica.role, context.role)) continue;
    const Verdict verdict = judge(replica, context.now, excluded);
    const bool suspect = verdict == Verdict::kUnhealthy || verdict == Verdict::kEjected;
    if (verdict == Verdict::kUsable || (panic && suspect))
      options_.push_back({&candidate, group, &replica, index});
  }
}

// What each option's engine holds of the prompt. Options of one candidate.
void Balancer::look_up_prefixes(const exchange::Candidate& candidate, std::size_t index,
                                const Context& context) {
  if (has_tokens(context, index)) kv_lookup_.look_up(options_, context);
  if (context.prompt == nullptr) return;
  const auto chain = context.prompt->chain().hashes();
  if (chain.empty()) return;
  context.set->prefixes()->match(chain, cache_salt(candidate), matches_);
  for (Option& option : options_) {
    const bool told = option.source != exchange::CacheSource::kEstimate;
    if (option.candidate != &candidate || told) continue;
    const std::uint32_t blocks = matches_.blocks(option.endpoint().cache().slot());
    option.cached_tokens =
        static_cast<std::int64_t>(index::blocks_bytes(blocks)) / index::kBytesPerToken;
  }
}

void Balancer::keep_best_residency(const Context& context) {
  auto best = Residency::kAbsent;
  for (const Option& option : options_)
    best = std::min(best, residency(*option.candidate, *option.replica, *context.set));
  std::erase_if(options_, [&](const Option& option) {
    return residency(*option.candidate, *option.replica, *context.set) != best;
  });
}

// The cheapest option, by turn among equals. A half-open endpoint is taken only with its trial; if another core has just
// claimed that, the next best is taken.
std::optional<Pick> Balancer::choose(const Context& context, bool panic) {
  while (!options_.empty()) {
    Policy& policy = policy_of(*options_.front().group);
    costs_.resize(options_.size());
    policy.score(options_, context, costs_);
    std::size_t best = 0;
    Turn best_turn = next_turn(*options_[0].group, *options_[0].replica);
    for (std::size_t i = 1; i < options_.size(); ++i) {
      if (costs_[i] > costs_[best]) continue;
      const Turn turn = next_turn(*options_[i].group, *options_[i].replica);
      if (costs_[i] == costs_[best] && turn.due >= best_turn.due) continue;
      best = i;
      best_turn = turn;
    }
    const Option option = options_[best];
    if (!take_turn(*option.group, *option.replica, best_turn)) continue;  // another core was faster
    auto& endpoint = *option.replica->endpoint;
    const bool half_open = endpoint.service(context.now) == discovery::Service::kHalfOpen;
    const bool trial = half_open && endpoint.begin_trial();
    if (half_open && !trial && !panic) {
      options_.erase(options_.begin() + static_cast<std::ptrdiff_t>(best));
      continue;
    }
    return take(option, context, policy, trial, panic);
  }
  return std::nullopt;
}

Pick Balancer::take(const Option& option, const Context& context, const Policy& policy, bool trial,
                    bool panic) {
  Pick pick;
  pick.candidate = option.candidate;
  pick.replica = option.replica;
  pick.panic = panic;
  pick.trial = trial;
  pick.policy = policy.name();
  pick.prompt_tokens = context.prefill_tokens;
  pick.cached_tokens = option.cached_tokens;
  pick.cache_source = option.source;
  const std::int64_t missing =
      std::max<std::int64_t>(0, context.prefill_tokens - option.cached_tokens);
  pick.in_flight = discovery::InFlight(
      option.replica->endpoint,
      {.prefill_tokens = missing, .streams = context.streams, .sent_at = context.now}, trial);
  if (has_tokens(context, option.candidate_index)) kv_lookup_.sent(option, context);
  if (policy.wants_prefix() && context.prompt != nullptr) {
    context.set->prefixes()->insert(context.prompt->chain().hashes(), cache_salt(*option.candidate),
                                    option.replica->endpoint->cache());
  }
  return pick;
}

std::optional<Pick> Balancer::pick_from(std::span<const exchange::Candidate> candidates,
                                        const Context& context, Excluded excluded, bool panic) {
  options_.clear();
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    collect(candidates[i], i, context, excluded, panic);
    if (options_.empty()) continue;
    const Policy& policy = policy_of(*options_.front().group);
    const bool joint = policy.spans_candidates();
    if (policy.wants_prefix()) look_up_prefixes(candidates[i], i, context);
    if (joint && i + 1 < candidates.size()) continue;
    if (!joint) keep_best_residency(context);
    leave_to_the_warm(options_, context, random_);
    if (auto pick = choose(context, panic)) return pick;
  }
  return std::nullopt;
}

Result<Pick> Balancer::pick(std::span<const exchange::Candidate> candidates, const Context& context,
                            Excluded excluded) {
  if (auto pick = pick_from(candidates, context, excluded, false)) return *std::move(pick);
  if (auto pick = pick_from(candidates, context, excluded, true)) return *std::move(pick);
  if (context.role == discovery::Role::kDecode) {
    // An engine that was meant for the other half answers better than none.
    Context any = context;
    any.role = discovery::Role::kAny;
    return pick(candidates, any, excluded);
  }
  return fail(Code::kUnavailable, why_none(candidates, context, excluded));
}

}  // namespace signalbox::balancer
