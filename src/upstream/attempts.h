// The upstream stage: from candidates to a response whose first byte has arrived. Dials or reuses, sends, and tries again
// elsewhere as long as nothing of an answer has been passed on.
//
// What is tried again, within the attempts, the retry budget and the deadline (upstream/retry_rules.h):
//   - a connection that failed, or broke before a response head, and status 502, 503, 504 and 429: on another replica,
//     then on the next candidate model;
//   - when no other is left, the same ones after a pause: what Retry-After asks for, or a short back-off if the engine
//     could not be reached;
//   - a request whose engine says nothing and, asked, does not answer on its health path either (signalbox.hung); with
//     give_up_after also a stream that is silent for so long: the connection is dropped and the request goes elsewhere;
//   - for free, once per attempt: a pooled connection that turned out to be closed (the engine never saw the request).
// When retries are used up, an engine's own answer, the latest if there were several, is passed on rather than an error
// of ours: its message and Retry-After say more.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/error.h"
#include "base/random.h"
#include "config/model.h"
#include "discovery/endpoint_table.h"
#include "exchange/exchange.h"
#include "http/client.h"
#include "json/splice.h"
#include "net/loop.h"
#include "net/task.h"
#include "telemetry/instruments.h"
#include "upstream/retry_budget.h"
#include "upstream/watchdog.h"

namespace signalbox::upstream {

// Where the balancer says to go. The replica lives in the endpoint set that the caller holds for the request.
struct Choice {
  const exchange::Candidate* candidate = nullptr;
  const discovery::Replica* replica = nullptr;
  discovery::InFlight in_flight;  // counted until the response is over
};

// Stages do not see one another: the pipeline passes the balancer in. `excluded` are the endpoints tried so far.
// Errors: kUnavailable.
using Choose = std::function<Result<Choice>(std::span<const discovery::Endpoint* const> excluded)>;
// Whether choose() would find a replica that is well, without choosing it.
using Elsewhere = std::function<bool(std::span<const discovery::Endpoint* const> excluded)>;
using Report = std::function<void(discovery::Endpoint&, discovery::Outcome)>;

struct Sending {
  exchange::Exchange* exchange = nullptr;  // attempts are appended; everything else is read
  const config::Config* config = nullptr;
  Choose choose;
  Report report;
  Elsewhere elsewhere;                  // nullptr: always
  net::Cancellation* cancel = nullptr;  // the client is gone
  bool add_include_usage = false;       // see RenderOptions
  // The prefill half of a disaggregated request; at most kPrefillAttemptsMax attempts. Its answer is for prefill_answer().
  bool prefill_half = false;
  bool asks_for_transfer = true;  // see RenderOptions
  // Given to the decode half's attempts until one of them has reached an engine: blocks are handed over once.
  std::string kv_transfer_params;
  std::optional<Choice> first;           // made already; later attempts choose
  Deadline deadline = Deadline::none();  // besides that of the client
};

// A response whose head has arrived. The body is read from lease.body().
struct Live {
  std::unique_ptr<Watchdog> watchdog;  // outlives the lease that it can end
  http::Lease lease;
  http::ResponseHead head;
  Choice choice;
};

// One per core.
class Upstream {
 public:
  Upstream(net::Loop& loop, http::ClientPool& clients, Random& random,
           telemetry::Instruments& instruments)
      : loop_(loop),
        clients_(clients),
        random_(random),
        instruments_(instruments),
        prober_(loop, clients) {}

  // Ends questions to silent engines. When no request is left.
  net::Task<void> close() { return prober_.close(); }

  // Errors: kUnavailable, kUpstreamConnect, kUpstreamReset, kUpstreamProtocol, kUpstreamTimeout, kCancelled, and those of
  // rendering the body. Everything `sending` points to must outlive the task.
  net::Task<Result<Live>> send(Sending sending);

 private:
  struct Round;
  // Sets round->choice. False when nothing is left to try; round->last says how it ended.
  net::Task<bool> choose_next(Round* round);
  static Result<json::EditedText> body_of(const Round& round);
  net::Task<Result<Live>> attempt(Round* round);
  net::Task<Result<http::ResponseHead>> exchange_once(Round* round, http::Lease* lease,
                                                      std::string_view head, net::WriteParts body);
  net::Task<Result<http::Lease>> connect(Round* round, bool reuse, net::Cancellation* cancel);
  // `round` outlives the watch.
  std::unique_ptr<Watchdog> watch(const Round* round);
  // How long to wait before tried engines are asked again, if they may be.
  std::optional<Duration> pause_before_repeat(const Round& round) const;
  net::Task<void> pause(Round* round, Duration wait);
  bool may_try_again(const Round& round, const Result<Live>& outcome) const;
  void note(Round& round, const Result<Live>& outcome);

  net::Loop& loop_;
  http::ClientPool& clients_;
  Random& random_;
  telemetry::Instruments& instruments_;
  RetryBudget budget_;
  Prober prober_;
};

}  // namespace signalbox::upstream
