#include "upstream/attempts.h"

#include <fmt/core.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "upstream/render.h"
#include "upstream/request_head.h"
#include "upstream/retry_rules.h"

namespace signalbox::upstream {
namespace {

// What an attempt says about its endpoint: only faults of the engine or of the way to it count against it.
discovery::Outcome outcome_of(const Result<Live>& result) {
  if (result) {
    if (result->head.status >= 500) return discovery::Outcome::kFailure;
    return result->head.status == 429 ? discovery::Outcome::kNeutral : discovery::Outcome::kSuccess;
  }
  const Code code = result.error().code;
  if (code == Code::kUpstreamConnect) return discovery::Outcome::kUnreachable;
  const bool fault = code == Code::kUpstreamReset || code == Code::kUpstreamTimeout ||
                     code == Code::kUpstreamProtocol;
  return fault ? discovery::Outcome::kFailure : discovery::Outcome::kNeutral;
}

std::string outcome_label(const Result<Live>& result) {
  if (!result) return std::string(traits(result.error().code).label);
  const int status = result->head.status;
  if (status < 400) return "ok";
  return status >= 500 ? "status_5xx" : status == 429 ? "status_429" : "status_4xx";
}

std::size_t index_of(const std::vector<exchange::Candidate>& candidates,
                     const exchange::Candidate& candidate) {
  return static_cast<std::size_t>(&candidate - candidates.data());
}

bool is_cancelled(const net::Cancellation* cancel) {
  return cancel != nullptr && cancel->cancelled();
}

// What leaves in one write beside the head: the pieces as they are, or one copy of a body that is in too many.
class BodyParts {
 public:
  explicit BodyParts(const json::EditedText& body) : parts_(body.pieces()) {
    if (parts_.size() < net::kWritePartsMax) return;
    whole_ = body.str();
    parts_.assign(1, whole_);
  }
  BodyParts(const BodyParts&) = delete;
  BodyParts& operator=(const BodyParts&) = delete;
  net::WriteParts parts() const { return parts_; }

 private:
  std::string whole_;
  std::vector<std::string_view> parts_;
};

}  // namespace

// What all attempts of one request share.
struct Upstream::Round {
  Sending sending;
  bool repeatable = true;  // may be sent again after its body was sent
  Choice choice;           // of the attempt under way
  std::shared_ptr<discovery::Endpoint> endpoint;
  std::vector<const discovery::Endpoint*> excluded;
  const exchange::Candidate* candidate_before = nullptr;
  bool hung = false;                     // the attempt under way was given up as hung
  bool sent = false;                     // the attempt under way put bytes on a connection
  std::string reason;                    // label of the last attempt's outcome
  std::optional<Duration> repeat_after;  // what the last attempt says about asking its engine again
  // How the request ends if nothing better comes: the latest answer of an engine, else the latest failure.
  Result<Live> last = std::unexpected(Error{Code::kUnavailable, {}, {}});
  std::optional<std::size_t> answered;  // the attempt behind `last`, if an engine answered

  std::size_t attempts_before = 0;  // of the request's other half

  int tries() const {
    return static_cast<int>(sending.exchange->attempts.size() - attempts_before);
  }
  Deadline deadline() const { return sending.exchange->client.deadline.sooner(sending.deadline); }
  void keep(Result<Live> outcome) {
    const bool worse = last && !outcome && outcome.error().code != Code::kCancelled;
    if (worse) return;
    last = std::move(outcome);
    answered.reset();
    if (last) answered = sending.exchange->attempts.size() - 1;
  }
  Result<Live> finish() {
    sending.exchange->answered = answered;
    return std::move(last);
  }
};

net::Task<Result<Live>> Upstream::send(Sending sending) {
  Round round{.sending = std::move(sending)};
  const auto& exchange = *round.sending.exchange;
  round.repeatable = is_repeatable(exchange.client, exchange.request.endpoint);
  round.attempts_before = exchange.attempts.size();
  budget_.request(loop_.now());
  for (;;) {
    const bool chosen = co_await choose_next(&round);
    if (!chosen) co_return round.finish();
    auto outcome = co_await attempt(&round);
    note(round, outcome);
    const bool again = may_try_again(round, outcome);
    round.keep(std::move(outcome));
    if (!again) co_return round.finish();
    // A failed request is no load on its engine any more, even if its answer is kept.
    round.choice.in_flight.end();
    if (round.last) round.last->choice.in_flight.end();
  }
}

net::Task<bool> Upstream::choose_next(Round* round) {
  auto choice = round->sending.first ? Result<Choice>(*std::exchange(round->sending.first, {}))
                                     : round->sending.choose(round->excluded);
  std::optional<Duration> wait;
  if (!choice) {
    if (round->tries() == 0) round->keep(std::unexpected(choice.error()));
    wait = pause_before_repeat(*round);
    if (!wait) co_return false;
  }
  if (round->tries() > 0) {
    // What never reached an engine made no work there, so going on to another one multiplies nothing.
    const bool free = !wait && !round->sent;
    if (!free && !budget_.take(round->sending.config->own.retry, loop_.now())) {
      instruments_.upstream_retry_budget_exhausted.add();
      co_return false;
    }
    instruments_.upstream_retries.with(round->reason).add();
  }
  if (wait) {
    co_await pause(round, *wait);
    if (is_cancelled(round->sending.cancel)) {
      round->keep(fail(Code::kCancelled, "the client is gone"));
      co_return false;
    }
    round->excluded.clear();
    choice = round->sending.choose(round->excluded);
    if (!choice) co_return false;
  }
  round->choice = *std::move(choice);
  const exchange::Candidate* candidate = round->choice.candidate;
  if (round->candidate_before != nullptr && round->candidate_before != candidate) {
    instruments_.upstream_fallbacks.with(candidate->public_name).add();
  }
  round->candidate_before = candidate;
  co_return true;
}

std::optional<Duration> Upstream::pause_before_repeat(const Round& round) const {
  if (round.tries() == 0 || !round.repeat_after) return std::nullopt;
  const Duration wait = *round.repeat_after;
  if (wait > limits::kRetryAfterMax) return std::nullopt;
  if (wait >= round.deadline().left(loop_.now())) return std::nullopt;
  return wait;
}

net::Task<void> Upstream::pause(Round* round, Duration wait) {
  const net::OneShot<bool> gone(loop_);
  std::optional<net::Cancellation::Registration> registration;
  if (round->sending.cancel != nullptr) {
    registration.emplace(*round->sending.cancel, [gone] { gone.set(true); });
  }
  co_await gone.wait(Deadline::after(loop_.now(), wait));
}

bool Upstream::may_try_again(const Round& round, const Result<Live>& outcome) const {
  const auto& sending = round.sending;
  const auto& reliability = round.candidate_before->model->reliability;
  const RetryConditions conditions = parse_retry_on(reliability.retry_on);
  if (outcome ? !conditions.status(outcome->head.status)
              : !conditions.error(outcome.error().code, round.sent) && !round.hung) {
    return false;
  }
  if (round.sent && !round.repeatable) return false;
  const int attempts_max = reliability.retry_count ? *reliability.retry_count + 1
                                                   : sending.config->own.retry.attempts_max;
  if (round.tries() >= std::min(attempts_max, limits::kAttemptsMax)) return false;
  if (sending.prefill_half && round.tries() >= limits::kPrefillAttemptsMax) return false;
  return !round.deadline().passed(loop_.now()) && !is_cancelled(sending.cancel);
}

void Upstream::note(Round& round, const Result<Live>& outcome) {
  discovery::Endpoint& endpoint = *round.endpoint;
  round.sending.report(endpoint, outcome_of(outcome));
  round.reason = outcome_label(outcome);
  instruments_.upstream_attempts.with(endpoint.url(), round.reason).add();
  round.repeat_after.reset();
  if (outcome) {
    round.repeat_after = retry_after(outcome->head.headers);
  } else if (outcome.error().code == Code::kUpstreamConnect ||
             outcome.error().code == Code::kUpstreamReset) {
    round.repeat_after = backoff(round.tries());
  }
  const auto& attempts = round.sending.exchange->attempts;
  if (!outcome || attempts.empty()) return;
  const exchange::Attempt& attempt = attempts.back();
  instruments_.upstream_connections
      .with(endpoint.url(), attempt.reused_connection ? "reused" : "new")
      .add();
  if (!attempt.reused_connection) instruments_.upstream_connect.observe(attempt.connect_time);
}

net::Task<Result<http::Lease>> Upstream::connect(Round* round, bool reuse,
                                                 net::Cancellation* cancel) {
  const auto& sending = round->sending;
  const Deadline deadline = Deadline::after(loop_.now(), sending.config->own.limits.connect_timeout)
                                .sooner(round->deadline());
  const net::Address& address = round->endpoint->address();
  if (reuse) co_return co_await clients_.acquire(address, deadline, cancel);
  co_return co_await clients_.dial(address, deadline, cancel);
}

// Nothing where giving up would lose the request.
std::unique_ptr<Watchdog> Upstream::watch(const Round* round) {
  const config::Hung& settings = round->sending.config->own.hung;
  const auto& exchange = *round->sending.exchange;
  if (!round->repeatable || settings.suspect_after.count() == 0) return nullptr;
  Watchdog::Watched watched;
  watched.endpoint = round->endpoint;
  watched.backend = &round->choice.replica->backend;
  watched.health_path = round->sending.config->own.health.path;
  watched.streams = exchange.request.stream;
  watched.elsewhere = [round] {
    return !round->sending.elsewhere || round->sending.elsewhere(round->excluded);
  };
  return std::make_unique<Watchdog>(loop_, prober_, std::move(watched), settings,
                                    round->sending.cancel);
}

net::Task<Result<http::ResponseHead>> Upstream::exchange_once(Round* round, http::Lease* lease,
                                                              std::string_view head,
                                                              net::WriteParts body) {
  const auto& client = round->sending.exchange->client;
  const Deadline first_byte =
      Deadline::after(loop_.now(), round->sending.config->own.limits.first_byte_timeout)
          .sooner(round->deadline());
  const http::Lease::Wait wait{.deadline = first_byte, .to_head = client.method == "HEAD"};
  round->sent = true;
  co_return co_await lease->exchange(head, body, wait);
}

Result<json::EditedText> Upstream::body_of(const Round& round) {
  const auto& sending = round.sending;
  const RenderOptions options{.add_include_usage = sending.add_include_usage,
                              .prefill_half = sending.prefill_half,
                              .kv_transfer_params = sending.kv_transfer_params,
                              .asks_for_transfer = sending.asks_for_transfer};
  return render_attempt(*sending.exchange, *sending.config, *round.choice.candidate,
                        round.choice.replica->backend, options);
}

net::Task<Result<Live>> Upstream::attempt(Round* round) {
  auto& exchange = *round->sending.exchange;
  const exchange::Candidate& candidate = *round->choice.candidate;
  const discovery::Replica& replica = *round->choice.replica;
  round->endpoint = replica.endpoint;
  discovery::Endpoint& endpoint = *replica.endpoint;
  round->excluded.push_back(&endpoint);
  round->sent = false;

  SBX_CO_TRY(const json::EditedText edited, body_of(*round));
  const BodyParts body(edited);
  const HeadInputs inputs{.client = exchange.client,
                          .edits = exchange.edits,
                          .endpoint = exchange.request.endpoint,
                          .backend = replica.backend,
                          .address = endpoint.address(),
                          .base_path = endpoint.base_path(),
                          .body_bytes = edited.size(),
                          .span_id = random_hex(random_, 1)};
  const std::string head = request_head(inputs);

  const std::size_t index = exchange.attempts.size();
  exchange.attempts.push_back({.endpoint_url = endpoint.url(),
                               .candidate = index_of(exchange.candidates, candidate),
                               .started_at = loop_.now(),
                               .prefill = round->sending.prefill_half});
  auto watchdog = watch(round);
  net::Cancellation* const cancel = watchdog ? &watchdog->cancellation() : round->sending.cancel;
  round->hung = false;
  // What may be sent only once gets a connection that no engine can have closed already.
  auto lease = co_await connect(round, round->repeatable, cancel);
  Result<http::ResponseHead> answer;
  if (lease) {
    exchange.attempts[index].connect_time = loop_.now() - exchange.attempts[index].started_at;
    if (watchdog) watchdog->start();
    answer = co_await exchange_once(round, &*lease, head, body.parts());
    if (!answer && lease->closed_while_idle()) {
      round->sent = false;
      lease = co_await connect(round, false, cancel);
      if (lease) answer = co_await exchange_once(round, &*lease, head, body.parts());
    }
  }
  if (round->sent) round->sending.kv_transfer_params.clear();
  if (watchdog) watchdog->stop();
  exchange::Attempt& attempt = exchange.attempts[index];
  if (watchdog && watchdog->gave_up() && !answer) {
    round->hung = true;
    attempt.error = Code::kUpstreamTimeout;
    co_return fail(Code::kUpstreamTimeout,
                   fmt::format("{} took the request and says nothing", endpoint.url()));
  }
  if (!lease || !answer) {
    auto error = lease ? std::move(answer).error() : std::move(lease).error();
    attempt.error = error.code;
    co_return std::unexpected(std::move(error));
  }
  attempt.status = answer->status;
  attempt.first_byte_time = loop_.now() - attempt.started_at;
  attempt.reused_connection = lease->reused();
  Live live;
  live.watchdog = std::move(watchdog);
  live.lease = *std::move(lease);
  live.head = *std::move(answer);
  live.choice = std::move(round->choice);
  co_return live;
}

}  // namespace signalbox::upstream
