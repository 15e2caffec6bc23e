// What a request's attempts ask of the balancer, and what they report about engines.
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

// For a request that only one engine may answer: all others count as tried.
std::vector<const discovery::Endpoint*> all_but(const discovery::Endpoint& wanted,
                                                const discovery::EndpointSet& set,
                                                std::span<const discovery::Endpoint* const> tried) {
  std::vector<const discovery::Endpoint*> others(tried.begin(), tried.end());
  for (const auto& entry : set.endpoints()) {
    if (entry.endpoint.get() != &wanted) others.push_back(entry.endpoint.get());
  }
  return others;
}

// The key that the Signalbox before us went by, else the request's own.
std::optional<std::string> session_of(const exchange::Exchange& exchange,
                                      const config::Balancer& settings) {
  if (exchange.handed_on && !exchange.handed_on->session.empty())
    return exchange.handed_on->session;
  return balancer::session_key(exchange.client, exchange.request, settings);
}

// Keys come from clients: nothing of them may break a line.
std::string printable(std::string_view text) {
  std::string out(text.substr(0, limits::kAccessLogFieldBytesMax));
  std::ranges::replace_if(out, [](char c) { return c < 0x20 || c > 0x7e; }, '?');
  return out;
}

}  // namespace

void Pipeline::report(const discovery::EndpointSet& set, discovery::Endpoint& endpoint,
                      discovery::Outcome outcome) {
  const auto transition = services_.endpoints.report(set, endpoint, outcome, loop_.now());
  if (transition == discovery::Transition::kEjected) {
    services_.instruments.upstream_ejections.with(endpoint.url()).add();
  }
}

// The line that tests of vLLM Production Stack read, in their words.
void Pipeline::log_routing(const exchange::ClientRequest& client,
                           const std::optional<std::string>& session,
                           const discovery::Endpoint& endpoint) {
  if (!routing_log_) return;
  const auto unix_seconds = std::chrono::duration<double>(loop_.clock().unix_time()).count();
  const auto took = std::chrono::duration<double>(loop_.now() - client.received_at).count();
  routing_log_->append_text(
      fmt::format("Routing request {} with session id {} to {} at {:.6f}, process time = {:.6f}",
                  client.request_id, session ? printable(*session) : "None", endpoint.url(),
                  unix_seconds, took));
}

upstream::Choose Pipeline::chooser(Flow& flow, const discovery::EndpointSet& set,
                                   discovery::Role role) {
  auto& exchange = flow.exchange;
  auto session = session_of(exchange, set.balancer());
  const int priority = balancer::priority(exchange.client, set.balancer());
  return [this, &flow, &exchange, &set, session = std::move(session), priority, role,
          prompt = balancer::Prompt(exchange)](
             std::span<const discovery::Endpoint* const> excluded) -> Result<upstream::Choice> {
    balancer::Context context;
    context.set = &set;
    context.now = loop_.now();
    if (session) {
      context.session = hash64(*session);
      context.session_text = *session;
    }
    context.prefill_tokens =
        exchange.handed_on ? exchange.handed_on->context_tokens : exchange.request.context_tokens;
    if (exchange.tokens.ids) {
      const auto exact = static_cast<std::int64_t>(exchange.tokens.ids->size());
      // A beginning of the prompt says only how long it is at least.
      const bool whole = exchange.tokens.source != exchange::TokenSource::kCache;
      context.prefill_tokens = whole ? exact : std::max(exact, context.prefill_tokens);
      context.tokens = &exchange.tokens;
    }
    context.role = role;
    context.prompt = &prompt;
    // The answer of a prefill half is the first token.
    context.streams = exchange.request.stream || role == discovery::Role::kPrefill;
    context.priority = priority;
    auto picked = flow.pinned == nullptr ? balancer_.pick(exchange.candidates, context, excluded)
                                         : balancer_.pick(exchange.candidates, context,
                                                          all_but(*flow.pinned, set, excluded));
    SBX_TRY(auto pick, std::move(picked));
    exchange.route = {pick.policy, pick.prompt_tokens, pick.cached_tokens, pick.cache_source};
    log_routing(exchange.client, session, *pick.replica->endpoint);
    upstream::Choice choice;
    choice.candidate = pick.candidate;
    choice.replica = pick.replica;
    choice.in_flight = std::move(pick.in_flight);
    return choice;
  };
}

}  // namespace signalbox::pipeline
