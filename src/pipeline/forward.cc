// The last stage at the HTTP door: the request goes to an engine, its prompt to another one first where that is worth
// the hop.
#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "api/error_body.h"
#include "base/hash.h"
#include "pipeline/api_embed.h"
#include "pipeline/api_routes.h"
#include "pipeline/cors.h"
#include "pipeline/engine_routes.h"
#include "pipeline/local.h"
#include "pipeline/naming.h"
#include "pipeline/office.h"
#include "pipeline/own_answer.h"
#include "pipeline/pipeline.h"
#include "pipeline/query.h"
#include "pipeline/response_headers.h"
#include "plugins/plugins.h"
#include "request/read_request.h"
#include "response/relay.h"
#include "upstream/prefill_half.h"

namespace signalbox::pipeline {
namespace {

// What a busy router asks of clients: its queues empty in seconds or not at all.
constexpr std::chrono::seconds kBusyRetryAfter{1};

// The first candidate is the one that is nearly always used; others go by estimates.
const discovery::ReplicaGroup* group_of(const exchange::Exchange& exchange,
                                        const discovery::EndpointSet& set) {
  return exchange.candidates.empty() ? nullptr : set.find(exchange.candidates.front().model->name);
}

bool generates_text(const exchange::Exchange& exchange) {
  return exchange.request.endpoint == exchange::Endpoint::kChatCompletions ||
         exchange.request.endpoint == exchange::Endpoint::kCompletions;
}

bool wants_token_ids(const exchange::Exchange& exchange, const discovery::EndpointSet& set) {
  const bool told = set.kv_events().enabled || set.lmcache().enabled;
  if (!told || !generates_text(exchange)) return false;
  const auto* group = group_of(exchange, set);
  if (group == nullptr || group->replicas.size() < 2) return false;
  return group->policy == config::BalancerPolicy::kKvAware ||
         group->policy == config::BalancerPolicy::kAuto;
}

bool is_disaggregated(const exchange::Exchange& exchange, const discovery::EndpointSet& set) {
  if (!set.disaggregated_prefill().enabled || !generates_text(exchange)) return false;
  const auto* group = group_of(exchange, set);
  return group != nullptr && group->disaggregated();
}

}  // namespace

// Only where the configuration says how much an engine takes; elsewhere engines queue for themselves.
net::Task<Result<void>> Pipeline::wait_for_room(Flow* flow) {
  const config::Queue& queue = flow->config().own.queue;
  const auto has_room = [flow, this, most = queue.engine_requests_max] {
    flow->set = endpoints_.set();  // engines may have come while it waited
    return balancer::has_room(flow->exchange.candidates, *flow->set, most, loop_.now());
  };
  upstream::WaitingRoom::Visitor visitor(flow->exchange.candidates.front().public_name, has_room,
                                         &flow->gone);
  auto entered =
      co_await waiting_room_.enter(std::move(visitor), &queue, flow->exchange.client.deadline);
  if (!entered) flow->retry_after = kBusyRetryAfter;
  co_return entered;
}

net::Task<Result<void>> Pipeline::forward(Flow* flow) {
  auto& exchange = flow->exchange;
  const config::Config& config = flow->config();
  exchange.path = exchange::ResponsePath::kUpstream;
  flow->moments.routed_at = loop_.clock().now();
  const telemetry::InFlight in_flight(
      services_.instruments.inflight.with(exchange.candidates.front().public_name));
  flow->set = endpoints_.set();
  if (config.own.queue.engine_requests_max > 0) SBX_CO_CHECK_OK(co_await wait_for_room(flow));
  const auto& set = flow->set;
  const bool add_usage = exchange.request.stream && !exchange.request.include_usage;
  // Policies that go by what engines hold of the prompt need to know it as they do.
  if (wants_token_ids(exchange, *set)) {
    upstream::TokenFinder::Query query{
        .config = flow->snapshot->config, .set = set, .tokenizers = flow->snapshot->tokenizers};
    co_await token_finder_.find(&exchange, std::move(query));
  }
  upstream::Sending sending{.exchange = &exchange, .config = &config};
  // Engines for prompts take no others' requests.
  sending.choose = chooser(*flow, *set, discovery::Role::kDecode);
  sending.report = [this, &set](discovery::Endpoint& endpoint, discovery::Outcome outcome) {
    report(*set, endpoint, outcome);
  };
  sending.elsewhere = [this, flow](std::span<const discovery::Endpoint* const> excluded) {
    return flow->pinned == nullptr &&
           balancer::any_usable(flow->exchange.candidates, *flow->set, excluded, loop_.now());
  };
  sending.cancel = &flow->gone;
  sending.add_include_usage = add_usage;
  if (is_disaggregated(exchange, *set))
    SBX_CO_CHECK_OK(co_await prefill_first(flow, set.get(), &sending));
  SBX_CO_TRY(auto live, co_await upstream_.send(std::move(sending)));
  exchange.forget_body();

  flow->status = live.head.status;
  live.choice.in_flight.answering();
  response::Observer observer(
      {.endpoint = exchange.request.endpoint,
       .received_at = exchange.client.received_at,
       .hide_usage_chunk = add_usage,
       .first_output = [&live](TimePoint now) { live.choice.in_flight.first_token(now); }});
  response::RelayOptions options;
  options.endpoint = exchange.request.endpoint;
  options.request_id = exchange.client.request_id;
  options.idle_timeout = config.own.limits.stream_idle_timeout;
  options.total = exchange.client.deadline;
  options.edit_head = [this, flow](http::Headers& headers) { add_edge_headers(*flow, headers); };
  auto relayed = co_await response::relay(&live.lease, std::move(live.head), &flow->sink, &observer,
                                          &loop_.event_clock(), std::move(options));
  exchange.usage = observer.usage();
  live.choice.in_flight.finish(loop_.now());
  waiting_room_.look();
  flow->admission.charge_tokens(exchange.usage.prompt_tokens + exchange.usage.completion_tokens,
                                loop_.now());
  if (!relayed && relayed.error().code != Code::kCancelled) {
    // The engine broke off after its head: its attempt did not succeed after all.
    exchange.attempts[*exchange.answered].error = relayed.error().code;
    report(*set, *live.choice.replica->endpoint, discovery::Outcome::kFailure);
  }
  co_return relayed;
}

net::Task<Result<void>> Pipeline::prefill_first(Flow* flow, const discovery::EndpointSet* set,
                                                upstream::Sending* decode) {
  auto& exchange = flow->exchange;
  // The decode engine is chosen first: what it holds of the prompt decides whether the hop is worth it.
  auto choice = decode->choose({});
  if (!choice) co_return Result<void>{};  // send() says why
  const exchange::Route route = exchange.route;
  const auto missing = route.prompt_tokens - route.cached_tokens;
  std::string_view result = "skipped";
  const bool meant_for_it = choice->replica->role != discovery::Role::kPrefill;
  if (missing >= set->disaggregated_prefill().tokens_min && meant_for_it) {
    result = co_await prefill(flow, set, decode);
    if (flow->gone.cancelled()) co_return fail(Code::kCancelled, "the client is gone");
    if (result == "transferred") choice->in_flight.drop_prompt();
    exchange.route = route;
    exchange.answered.reset();
  }
  services_.instruments.disaggregated_requests.with(result).add();
  decode->first = *std::move(choice);
  co_return Result<void>{};
}

// How it went, for the metric. Whatever goes wrong here, the decode engine can compute the prompt itself.
net::Task<std::string_view> Pipeline::prefill(Flow* flow, const discovery::EndpointSet* set,
                                              upstream::Sending* decode) {
  const auto& settings = set->disaggregated_prefill();
  const bool hands_over = settings.transfer == config::KvTransfer::kNixl;
  const TimePoint begun = loop_.now();
  upstream::Sending half{.exchange = decode->exchange, .config = decode->config};
  half.choose = chooser(*flow, *set, discovery::Role::kPrefill);
  half.report = decode->report;
  half.cancel = decode->cancel;
  half.prefill_half = true;
  half.asks_for_transfer = hands_over;
  half.deadline = Deadline::after(begun, settings.timeout);
  const Deadline deadline = flow->exchange.client.deadline.sooner(half.deadline);
  auto live = co_await upstream_.send(std::move(half));
  if (!live) co_return "failed";
  auto params = co_await upstream::prefill_answer(&*live, &loop_.event_clock(), deadline);
  live->choice.in_flight.first_token(loop_.now());
  services_.instruments.prefill_latency.with(live->choice.candidate->public_name)
      .observe(loop_.now() - begun);
  if (!params) co_return "failed";
  if (hands_over && params->empty()) co_return "no_params";
  decode->kv_transfer_params = hands_over ? *std::move(params) : std::string();
  co_return "transferred";
}

}  // namespace signalbox::pipeline
