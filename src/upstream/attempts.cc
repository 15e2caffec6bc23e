#include "upstream/attempts.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "upstream/render.h"
#include "upstream/request_head.h"

namespace signalbox::upstream {
namespace {

bool is_retryable_status(int status) {
  return status == 502 || status == 503 || status == 504 || status == 429;
}

// What an attempt says about its endpoint: only faults of the engine or of the way to it count against it.
discovery::Outcome outcome_of(const Result<Live>& result) {
  if (result) {
    if (result->head.status >= 500) return discovery::Outcome::kFailure;
    return result->head.status == 429 ? discovery::Outcome::kNeutral : discovery::Outcome::kSuccess;
  }
  const Code code = result.error().code;
  const bool fault = code == Code::kUpstreamConnect || code == Code::kUpstreamReset ||
                     code == Code::kUpstreamTimeout || code == Code::kUpstreamProtocol;
  return fault ? discovery::Outcome::kFailure : discovery::Outcome::kNeutral;
}

// A retry after a timeout only where nothing was sent: see the header.
bool is_retryable_error(Code code, bool sent) {
  if (code == Code::kUpstreamTimeout) return !sent;
  return code == Code::kUpstreamConnect || code == Code::kUpstreamReset ||
         code == Code::kUpstreamProtocol;
}

std::string outcome_label(const Result<Live>& result) {
  if (!result) return std::string(traits(result.error().code).label);
  const int status = result->head.status;
  if (status < 400) return "ok";
  return status >= 500 ? "status_5xx" : status == 429 ? "status_429" : "status_4xx";
}

const config::ReasoningFamily* family_of(const config::Config& config,
                                         const exchange::Candidate& candidate) {
  const auto found = config.providers.reasoning_families.find(candidate.model->reasoning_family);
  return found == config.providers.reasoning_families.end() ? nullptr : &found->second;
}

}  // namespace

// What all attempts of one request share.
struct Upstream::Round {
  Sending sending;
  Choice choice;  // of the attempt under way
  std::shared_ptr<discovery::Endpoint> endpoint;
  std::vector<const discovery::Endpoint*> excluded;
  const exchange::Candidate* candidate_before = nullptr;
  bool sent = false;  // the attempt under way put bytes on a connection
};

net::Task<Result<Live>> Upstream::send(Sending sending) {
  Round round{.sending = std::move(sending)};
  budget_.request(round.sending.config->own.retry, loop_.now());
  Result<Live> last = fail(Code::kUnavailable, "no attempt was made");
  for (;;) {
    auto choice = round.sending.choose(round.excluded);
    if (!choice) {
      // Nothing left to try: the last engine's own answer or failure, if there was one.
      if (round.excluded.empty()) co_return std::unexpected(std::move(choice).error());
      co_return last;
    }
    round.choice = *std::move(choice);
    if (round.candidate_before != nullptr && round.candidate_before != round.choice.candidate) {
      instruments_.upstream_fallbacks.with(round.choice.candidate->public_name).add();
    }
    round.candidate_before = round.choice.candidate;
    last = co_await attempt(&round);
    note(round, last);
    if (!again(round, last)) co_return last;
  }
}

bool Upstream::again(Round& round, const Result<Live>& outcome) {
  if (outcome ? !is_retryable_status(outcome->head.status)
              : !is_retryable_error(outcome.error().code, round.sent)) {
    return false;
  }
  const auto& sending = round.sending;
  const config::Retry& settings = sending.config->own.retry;
  const auto tries = static_cast<int>(sending.exchange->attempts.size());
  if (tries >= std::min(settings.attempts_max, limits::kAttemptsMax)) return false;
  if (sending.exchange->client.deadline.passed(loop_.now())) return false;
  if (sending.cancel != nullptr && sending.cancel->cancelled()) return false;
  if (!budget_.take(settings, loop_.now())) {
    instruments_.upstream_retry_budget_exhausted.add();
    return false;
  }
  instruments_.upstream_retries.with(outcome_label(outcome)).add();
  return true;
}

void Upstream::note(Round& round, const Result<Live>& outcome) {
  discovery::Endpoint& endpoint = *round.endpoint;
  round.sending.report(endpoint, outcome_of(outcome));
  instruments_.upstream_attempts.with(endpoint.url(), outcome_label(outcome)).add();
  const auto& attempts = round.sending.exchange->attempts;
  if (!outcome || attempts.empty()) return;
  const exchange::Attempt& attempt = attempts.back();
  instruments_.upstream_connections
      .with(endpoint.url(), attempt.reused_connection ? "reused" : "new")
      .add();
  if (!attempt.reused_connection) instruments_.upstream_connect.observe(attempt.connect_time);
}

net::Task<Result<http::ResponseHead>> Upstream::exchange_once(Round* round, http::Lease* lease,
                                                              std::string_view head,
                                                              std::string_view body) {
  const auto& client = round->sending.exchange->client;
  const Deadline first_byte =
      Deadline::after(loop_.now(), round->sending.config->own.limits.first_byte_timeout)
          .sooner(client.deadline);
  const std::array<std::string_view, 1> parts = {body};
  const http::Lease::Wait wait{.deadline = first_byte, .to_head = client.method == "HEAD"};
  round->sent = true;
  co_return co_await lease->exchange(head, parts, wait);
}

net::Task<Result<Live>> Upstream::attempt(Round* round) {
  auto& exchange = *round->sending.exchange;
  const config::Config& config = *round->sending.config;
  const exchange::Candidate& candidate = *round->choice.candidate;
  const discovery::Replica& replica = *round->choice.replica;
  round->endpoint = replica.endpoint;
  discovery::Endpoint& endpoint = *replica.endpoint;
  round->excluded.push_back(&endpoint);
  round->sent = false;

  const RenderOptions options{.dialect = dialect_of(replica.backend.provider, replica.backend.host),
                              .api_format = candidate.model->api_format,
                              .add_include_usage = round->sending.add_include_usage};
  SBX_CO_TRY(const std::string body,
             render_body(exchange.client, exchange.request, exchange.edits.body, candidate,
                         family_of(config, candidate), options));
  const HeadInputs inputs{.client = exchange.client,
                          .edits = exchange.edits,
                          .endpoint = exchange.request.endpoint,
                          .backend = replica.backend,
                          .address = endpoint.address(),
                          .base_path = endpoint.base_path(),
                          .body_bytes = body.size(),
                          .span_id = random_hex(random_, 1)};
  const std::string head = request_head(inputs);

  const std::size_t index = exchange.attempts.size();
  exchange.attempts.push_back({.endpoint_url = endpoint.url(),
                               .upstream_name = candidate.upstream_name,
                               .started_at = loop_.now()});
  const Deadline connect = Deadline::after(loop_.now(), config.own.limits.connect_timeout)
                               .sooner(exchange.client.deadline);
  auto lease = co_await clients_.acquire(endpoint.address(), connect, round->sending.cancel);
  Result<http::ResponseHead> answer = fail(Code::kUpstreamConnect, "not connected");
  if (lease) {
    exchange.attempts[index].connect_time = loop_.now() - exchange.attempts[index].started_at;
    answer = co_await exchange_once(round, &*lease, head, body);
    if (!answer && lease->closed_while_idle()) {
      lease = co_await clients_.dial(endpoint.address(), connect, round->sending.cancel);
      if (lease) answer = co_await exchange_once(round, &*lease, head, body);
    }
  }
  exchange::Attempt& attempt = exchange.attempts[index];
  if (!lease || !answer) {
    auto error = lease ? std::move(answer).error() : std::move(lease).error();
    attempt.error = error.code;
    co_return std::unexpected(std::move(error));
  }
  attempt.status = answer->status;
  attempt.first_byte_time = loop_.now() - attempt.started_at;
  attempt.reused_connection = lease->reused();
  round->choice.in_flight.first_byte();
  Live live;
  live.lease = *std::move(lease);
  live.head = *std::move(answer);
  live.choice = std::move(round->choice);
  co_return live;
}

}  // namespace signalbox::upstream
