// Policy: how good is each option for this request. The balancer's work is filter -> score -> pick: filters take away
// what must not be used, the policy gives each remaining (model or adapter, replica) pair a cost, and the cheapest is
// picked, ties going to the replica whose turn it is (balancer/rotation.h).
//
// Costs of several policies can be added with weights, so session, prefix, KV, load and residency terms meet in one
// objective; that is why a policy scores and does not choose. Policies are stateless between requests or keep state
// that is safe to lose, and are owned by one core.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "balancer/prompt.h"
#include "base/clock.h"
#include "config/model.h"
#include "discovery/endpoint_table.h"
#include "exchange/exchange.h"

namespace signalbox::balancer {

// One pair that the request could go to. Views into the candidate list and the endpoint set of the request.
struct Option {
  const exchange::Candidate* candidate = nullptr;
  const discovery::ReplicaGroup* group = nullptr;
  const discovery::Replica* replica = nullptr;
  std::size_t candidate_index = 0;
  // Tokens of the prompt that the engine is believed to hold, those of lower tiers counting for what they are worth; 0
  // unless the policy wants_prefix().
  std::int64_t cached_tokens = 0;
  exchange::CacheSource source = exchange::CacheSource::kEstimate;  // of cached_tokens
  int weight() const { return replica->weight(); }
  const discovery::Endpoint& endpoint() const { return *replica->endpoint; }
};

// What a policy may know about the request.
struct Context {
  const discovery::EndpointSet* set = nullptr;  // never nullptr in a pick
  TimePoint now{};
  std::optional<std::uint64_t> session;  // hash of the session key, if the request has one
  std::optional<std::string_view>
      session_text;                 // the key itself, for rings that hash it their own way
  std::int64_t prefill_tokens = 0;  // estimate of the prompt's length
  const Prompt* prompt = nullptr;   // read when a policy wants prefixes; nullptr: none
  bool streams = true;              // the answer comes token by token
  int priority = 0;                 // below 0 urgent, above 0 can wait
  // The prompt as its engines number it; nullptr: not known.
  const exchange::PromptTokens* tokens = nullptr;
  discovery::Role role = discovery::Role::kAny;  // half of the request that is to be placed
};

class Policy {
 public:
  virtual ~Policy() = default;
  virtual std::string_view name() const = 0;
  // Writes the cost of options[i] into costs[i]; lower is better, any finite value. All weights are positive.
  // Must not allocate in steady state; each policy states its complexity.
  virtual void score(std::span<const Option> options, const Context& context,
                     std::span<double> costs) = 0;
  // Whether one score covers options of several candidate models. If not, the best candidate that has a usable replica
  // is scored alone.
  virtual bool spans_candidates() const { return false; }
  // Whether Option::cached_tokens is looked up.
  virtual bool wants_prefix() const { return false; }
};

}  // namespace signalbox::balancer
