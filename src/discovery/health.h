// Active health checks: one task per endpoint on one loop asks GET <health path> at its interval, and now and then which
// models the engine serves. How the question is asked is injected, so that tests answer for the engines.
//
// What counts as healthy: any HTTP answer below 500. An engine that does not know the path (Ollama answers 404 to
// /health) is alive; vLLM answers 503 when its engine core is dead. Where a backend asks for it, health is asked by a small
// real request (discovery/health_request.h), and only 200 is healthy.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/error.h"
#include "base/random.h"
#include "discovery/endpoint_table.h"
#include "net/loop.h"
#include "net/task.h"

namespace signalbox::discovery {

// Turns single results into a verdict with hysteresis. Pure; not thread-safe.
class CheckCounter {
 public:
  // Both at least 1.
  CheckCounter(int unhealthy_after, int healthy_after);
  void configure(int unhealthy_after, int healthy_after);
  // The new verdict if this result changes it. The first good result makes an unknown endpoint healthy at once; bad
  // ones need `unhealthy_after` in a row.
  std::optional<Health> observe(bool good);
  Health verdict() const { return verdict_; }

 private:
  int unhealthy_after_;
  int healthy_after_;
  int good_in_row_ = 0;
  int bad_in_row_ = 0;
  Health verdict_ = Health::kUnknown;
};

// One question to an engine.
struct ProbeTarget {
  std::shared_ptr<Endpoint> endpoint;
  config::BackendRef backend;  // credentials, provider
  std::string path;            // with the endpoint's base path
  Deadline deadline = Deadline::none();
  std::string body{};  // not empty: POST with it
  std::string content_type{};
};

struct ProbeAnswer {
  int status = 0;
  std::string body;  // only when asked for, at most limits::kServedModelsBytesMax
};

// GET on the target; the body only if `want_body`. Must end by the deadline, or soon after `cancel` is cancelled.
// Errors: as of net::Network::dial and http::fetch; any error is a failed check.
using Probe = std::function<net::Task<Result<ProbeAnswer>>(ProbeTarget target, bool want_body,
                                                           net::Cancellation* cancel)>;

struct CheckCounts {
  std::uint64_t good = 0;
  std::uint64_t bad = 0;
};

// Lives on one loop; all members are called on its thread.
class HealthChecker {
 public:
  // `probe` and `table` must outlive this. The seed spreads the checks of many endpoints and many routers in time.
  HealthChecker(net::Loop& loop, EndpointTable& table, Probe probe, std::uint64_t seed);
  HealthChecker(const HealthChecker&) = delete;
  HealthChecker& operator=(const HealthChecker&) = delete;
  ~HealthChecker();  // stop() must have finished

  // Starts, changes and ends checks so that exactly the endpoints of the set with an active check are watched. The first
  // check of a new endpoint is made at once.
  void apply(const EndpointSet& set);
  // Ends all checks, also those under way.
  net::Task<void> stop();
  // Asks that endpoint now what it serves and whether it sleeps, instead of at the end of the interval.
  void ask_soon(const Endpoint& endpoint);

  std::size_t watched() const { return watches_.size(); }
  const CheckCounts& counts() const { return counts_; }

 private:
  struct Watch;
  net::Task<void> run(std::shared_ptr<Watch> watch);
  net::Task<bool> check(std::shared_ptr<Watch> watch);
  net::Task<void> ask_models(std::shared_ptr<Watch> watch);
  net::Task<void> ask_sleep(std::shared_ptr<Watch> watch);
  void noted(Watch& watch, bool good, const std::string& why);
  Deadline next_check(const Watch& watch);

  net::Loop& loop_;
  EndpointTable& table_;
  Probe probe_;
  Random random_;
  net::TaskGroup tasks_;
  std::map<const Endpoint*, std::shared_ptr<Watch>> watches_;
  CheckCounts counts_;
};

}  // namespace signalbox::discovery
