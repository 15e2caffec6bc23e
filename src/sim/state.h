// What the connections of one simulated engine share. One thread: that of the loop.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/error.h"
#include "base/random.h"
#include "http/request_head.h"
#include "net/loop.h"
#include "sim/engine.h"
#include "sim/faults.h"
#include "sim/metrics.h"

namespace signalbox::sim {

struct Request {
  http::RequestHead head;
  std::string body;
};

struct State {
  State(net::Loop& owner, EngineOptions options, std::uint64_t seed)
      : loop(owner), engine(std::move(options)), metrics(engine, owner.clock()), random(seed) {}
  net::Loop& loop;
  Engine engine;
  Metrics metrics;
  Control control;
  Random random;
  bool sleeping = false;  // by POST /sleep
  // The last request that was not for /sim, /health or /metrics, kept for GET /sim/last.
  std::shared_ptr<const Request> last;
  std::uint64_t requests = 0;
  std::uint64_t tokenized = 0;  // answers of /tokenize
  std::size_t connections = 0;
  std::uint64_t connections_accepted = 0;
};

// An answer that is complete at once.
struct Plain {
  int status = 200;
  std::string body;
  std::string_view content_type = "application/json";
};
// The error object of vLLM's API server: {"error":{message,type,param,code}}.
Plain plain_error(int status, std::string_view message, std::string_view type,
                  std::string_view param);
Plain plain_error(const Error& error);
Plain model_not_found(std::string_view model);

// Everything but the generating paths.
Plain answer_plain(State& state, const Request& request);

}  // namespace signalbox::sim
