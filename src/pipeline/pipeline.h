// The pipeline of one core: the order of the stages of a request, with a reason per line (pipeline.cc). Doors call
// handle(); everything it needs comes in through Services (shared) and its own loop and network.
#pragma once

#include <memory>
#include <optional>

#include "balancer/balancer.h"
#include "base/random.h"
#include "discovery/endpoint_table.h"
#include "http/client.h"
#include "listener/extproc/carrier.h"
#include "listener/http/handler.h"
#include "net/loop.h"
#include "net/network.h"
#include "pipeline/record.h"
#include "pipeline/response_headers.h"
#include "pipeline/services.h"
#include "pipeline/understand.h"
#include "telemetry/access_log.h"
#include "upstream/attempts.h"
#include "upstream/token_finder.h"
#include "upstream/waiting_room.h"

namespace signalbox::pipeline {

class Pipeline final : public listener::Handler, public listener::ProxyHandler {
 public:
  // `seed` decides ids, jitter and the other draws of this core.
  Pipeline(Services& services, net::Loop& loop, net::Network& network,
           std::uint64_t seed = entropy_seed());

  net::Task<void> handle(exchange::Exchange& exchange, http::ClientSink& sink,
                         net::Cancellation& client_gone) override;
  void rejected(const Error& error) override;
  // Requests of a proxy: the same stages, but for the last one, which hands over instead of forwarding.
  bool concerns(std::string_view path) const override;
  net::Task<void> handle_carried(exchange::Exchange& exchange, http::ClientSink& sink,
                                 listener::Carrier& carrier,
                                 net::Cancellation& client_gone) override;

  std::shared_ptr<const listener::ConnectionSettings> connection_settings();
  void flush_access_log();
  // Ends what was begun beside requests, questions to silent engines among it, and closes idle upstream connections; call
  // when no request is left.
  net::Task<void> close();

 private:
  // One request under way: the exchange, and what the stages around it need.
  struct Flow {
    exchange::Exchange& exchange;
    http::ClientSink& sink;
    net::Cancellation& gone;
    std::shared_ptr<const Snapshot> snapshot;
    listener::Carrier* carrier = nullptr;  // nullptr: we forward ourselves
    const Routing* routing = nullptr;      // of an automatic request
    std::string_view recipe;
    Moments moments;
    int status = 0;
    std::optional<Code> error;
    Admission admission;                                // of the client's key
    Duration retry_after{};                             // said beside an error; zero: nothing
    std::shared_ptr<const discovery::Endpoint> pinned;  // ?id=: only this engine will do
    std::shared_ptr<const discovery::EndpointSet> set;  // what is routed by

    const config::Config& config() const { return *snapshot->config; }
  };

  net::Task<void> finish(Flow* flow);
  net::Task<Result<void>> run(Flow* flow);
  // Answers that need no model. True when one was sent.
  net::Task<Result<bool>> answer_without_model(Flow* flow);
  Result<void> let_in(Flow& flow);
  Result<void> pin(Flow& flow);
  net::Task<Result<void>> wait_for_room(Flow* flow);
  Result<void> read(Flow& flow);
  // What the Signalbox before us found out, if it shares our secret (pipeline/hand_on.h).
  void take_over_from_before(Flow& flow);
  net::Task<Result<void>> decide(Flow* flow);
  net::Task<Result<void>> answer_office(Flow* flow);
  net::Task<Result<void>> answer_fast(Flow* flow);
  net::Task<Result<void>> forward(Flow* flow);
  // hand_over.cc
  struct Handover;
  net::Task<Result<void>> hand_over(Flow* flow);
  net::Task<Result<void>> watch_answer(Flow* flow, Handover* handover, http::ResponseHead head);
  Result<listener::Carried> carried_request(Flow& flow, Handover& handover);
  net::Task<Result<void>> send(Flow* flow, int status, http::Headers headers, std::string body);
  net::Task<void> fail_request(Flow* flow, Error error);
  void report(const discovery::EndpointSet& set, discovery::Endpoint& endpoint,
              discovery::Outcome outcome);
  upstream::Choose chooser(Flow& flow, const discovery::EndpointSet& set, discovery::Role role);
  void log_routing(const exchange::ClientRequest& client, const std::optional<std::string>& session,
                   const discovery::Endpoint& endpoint);
  // The prompt on a prefill engine first, where that is worth the hop: fills in what the decode half needs.
  net::Task<Result<void>> prefill_first(Flow* flow, const discovery::EndpointSet* set,
                                        upstream::Sending* decode);
  net::Task<std::string_view> prefill(Flow* flow, const discovery::EndpointSet* set,
                                      upstream::Sending* decode);
  static HeaderInputs header_inputs(const Flow& flow);
  void add_edge_headers(const Flow& flow, http::Headers& headers) const;
  http::Headers answer_headers(const Flow& flow, std::string_view content_type) const;
  void record(const Flow& flow);

  Services& services_;
  net::Loop& loop_;
  Random random_;
  SnapshotView snapshots_;
  discovery::EndpointView endpoints_;
  http::ClientPool clients_;
  balancer::Balancer balancer_;
  upstream::Upstream upstream_;
  upstream::WaitingRoom waiting_room_;
  upstream::TokenFinder token_finder_;
  StatePool states_;
  std::optional<telemetry::AccessLog> access_log_;
  std::optional<telemetry::AccessLog> routing_log_;
};

// The admin door: metrics, health and the other local answers, nothing else.
class AdminHandler final : public listener::Handler {
 public:
  explicit AdminHandler(Services& services) : services_(services), snapshots_(services.snapshots) {}
  net::Task<void> handle(exchange::Exchange& exchange, http::ClientSink& sink,
                         net::Cancellation& client_gone) override;
  void rejected(const Error&) override {}

 private:
  Services& services_;
  SnapshotView snapshots_;
};

}  // namespace signalbox::pipeline
