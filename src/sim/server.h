// The demo engine: an OpenAI-compatible server without a model behind it. It answers POST /v1/chat/completions,
// /v1/completions, /v1/responses, /v1/messages (whole and streamed), /v1/embeddings, /rerank, /score, /tokenize,
// /detokenize, GET /v1/models, /health, /version and /metrics as vLLM does, says in every answer that it is simulated,
// and misbehaves on request (sim/faults.h). Besides: POST /sim/ctl?fail=0.5&status=503 for the whole engine,
// GET /sim/last for what it saw last (/sim/last/body for the exact bytes).
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/error.h"
#include "kv/publisher.h"
#include "net/loop.h"
#include "net/network.h"
#include "net/stream.h"
#include "sim/engine.h"
#include "sim/state.h"

namespace signalbox::sim {

class Connection;

// One engine on one loop; everything runs on the loop's thread. close() and join() come before the destructor, unless
// the loop has not run.
class Server {
 public:
  Server(net::Loop& loop, EngineOptions options, std::uint64_t seed = 1);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Port 0 lets the system choose. Errors: kIo.
  Result<void> listen(const std::string& address, std::uint16_t port);
  // 0 before listen().
  std::uint16_t port() const { return acceptor_ ? acceptor_->port() : 0; }
  // Endpoints of the KV events and of their replay; empty where the engine publishes none.
  std::string kv_endpoint() const { return kv_events_ ? kv_events_->endpoint() : ""; }
  std::string kv_replay_endpoint() const { return kv_events_ ? kv_events_->replay_endpoint() : ""; }
  // Serves a connection made elsewhere (a simulated network).
  void attach(std::unique_ptr<net::Stream> stream);
  // Stops listening and cuts all connections.
  void close();
  // Ends when the last connection is over.
  net::Task<void> join() { return connections_.join(); }

  const State& state() const { return state_; }

 private:
  net::Task<void> serve(std::unique_ptr<net::Stream> stream);

  Result<void> open_kv_events();

  State state_;
  std::unique_ptr<kv::EventPublisher> kv_events_;
  std::unique_ptr<net::Acceptor> acceptor_;
  net::TaskGroup connections_;
  std::set<Connection*> open_;
};

// Engines on a thread of their own, for a process that does something else: `signalbox serve` without upstreams, tests.
class Background {
 public:
  // Starts one engine per entry on system-chosen ports of 127.0.0.1. Errors: kIo.
  static Result<std::unique_ptr<Background>> start(std::vector<EngineOptions> engines);
  ~Background();
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;
  // In the order of the engines.
  const std::vector<std::uint16_t>& ports() const { return ports_; }

 private:
  Background() : loop_(net::make_loop()) {}
  net::Task<void> stop();

  std::unique_ptr<net::Loop> loop_;
  std::vector<std::unique_ptr<Server>> servers_;
  std::vector<std::uint16_t> ports_;
  std::unique_ptr<net::TaskGroup> stopping_;
  std::thread thread_;
};

}  // namespace signalbox::sim
