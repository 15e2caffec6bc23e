// Every metric that Signalbox exports, by name, in one place. Where the two systems it takes the place of have a metric
// that means the same, it carries their name, labels and unit, so that their dashboards, alerts and autoscalers go on
// working; buckets are finer where theirs end too early for LLM answers. What only exists here is `signalbox_*`.
//
// The comment behind a member says which part of the program sets it. Labels hold names of the configuration (models,
// decisions, endpoints), enum words and status codes, never text of a user; all are bounded (telemetry/metrics.h).
// Sources of names: vLLM semantic router pkg/observability/metrics; vLLM production-stack services/metrics_service.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "telemetry/metrics.h"

namespace signalbox::telemetry {

// How long counters of an engine that left the table are still exposed.
inline constexpr std::chrono::minutes kGoneEngineShown{5};

// One engine as the scrape shows it; all under the label `server` (its URL). Nothing means: not shown.
struct EngineSample {
  std::string server;
  bool healthy = false;
  bool ejected = false;
  double requests_running = 0;              // sent by us, response not finished
  double requests_prefill = 0;              // of these, first byte not seen
  double requests_decoding = 0;             // of these, first byte seen
  std::optional<double> requests_waiting;   // as the engine's own metrics say
  std::optional<double> prefix_cache_hits;  // tokens or blocks, the engine's own count
  std::optional<double> prefix_cache_queries;
  std::optional<double> qps;                  // over the balancer's window
  std::optional<double> latency_avg_seconds;  // over the balancer's window
};

struct BuildInfo {
  std::string version;
  std::string revision;
  std::string compiler;
};

struct Instruments;

// What every answer of a model is counted in, found by one lookup instead of nine. Its series are shown from the first
// request.
struct ModelCells {
  ModelCells(const Instruments& of, const std::string& model);
  Counter& requests;
  Counter& tokens;
  Counter& prompt_tokens;
  Counter& completion_tokens;
  Histogram& prompt_tokens_per_request;
  Histogram& completion_tokens_per_request;
  Histogram& completion_latency;
  Histogram& ttft;
  Histogram& tpot;
};

struct Instruments {
  explicit Instruments(Registry& registry);
  ~Instruments();
  ModelCells& of_model(std::string_view model);

  // Requests and models. Set by pipeline/record when a request is over; `model` is Candidate::public_name.
  Family<Counter, 1>&
      model_requests;  // {model} every request that reached an upstream or was answered by us
  Family<Counter, 2>&
      request_errors;  // {model, reason} reason is CodeTraits::label or upstream_4xx/upstream_5xx
  Family<Counter, 1>& tokens;                           // {model} prompt + completion
  Family<Counter, 1>& prompt_tokens;                    // {model}
  Family<Counter, 1>& completion_tokens;                // {model}
  Family<Histogram, 1>& prompt_tokens_per_request;      // {model}
  Family<Histogram, 1>& completion_tokens_per_request;  // {model}
  Family<Sum, 2>& cost;  // {model, currency} only for models with a price
  Family<Histogram, 1>&
      completion_latency;      // {model} seconds, request received to last byte relayed
  Family<Histogram, 1>& ttft;  // {model} seconds, request received to first token relayed
  Family<Histogram, 1>& tpot;  // {model} seconds, mean time between tokens of one response
  Family<Gauge, 1>&
      inflight;  // {model} held by an InFlight in pipeline/serve from route to last byte

  // Routing. Set by pipeline/record after the decision.
  Histogram& routing_latency;  // seconds from the end of the body to the first attempt
  Family<Counter, 2>& routing_modifications;   // {source_model, target_model} automatic names only
  Family<Counter, 2>& routing_reason_codes;    // {reason_code, model}
  Family<Counter, 4>& reasoning_decisions;     // {category, model, enabled: "true"|"false", effort}
  Family<Counter, 2>& reasoning_effort_usage;  // {family, effort}

  // Signals, decisions, plugins. Set by pipeline/record from Signals, Decision and Edits.
  Family<Counter, 2>& signal_extraction;  // {signal_type, signal_name} evaluated leaves
  Family<Counter, 2>& signal_match;       // {signal_type, signal_name} of these, matched ones
  Family<Histogram, 1>& signal_latency;   // {signal_type} seconds
  Family<Histogram, 2>& classification_confidence;  // {category, classification_method: the rung}
  Counter& decision_evaluation;
  Histogram& decision_latency;                // seconds
  Family<Counter, 1>& decision_match;         // {decision_name}
  Family<Histogram, 1>& decision_confidence;  // {decision_name}
  Family<Counter, 3>& plugin_execution;  // {plugin_type, decision_name, status: "success"|"error"}
  Family<Histogram, 1>& plugin_latency;  // {plugin_type} seconds

  // Names of the production stack's router. Set by pipeline/record; `server` is Attempt::endpoint_url.
  Family<Counter, 1>&
      incoming_requests;  // {model} as requested and known; the autoscaler reads it: count on arrival
  Family<Counter, 2>& server_input_tokens;   // {server, model}
  Family<Counter, 2>& server_output_tokens;  // {server, model}
  Family<Counter, 3>& server_errors;         // {server, model, error_type}
  Family<Histogram, 3>& server_latency;      // {server, model, status: "success"|"error"} seconds

  // Client side. Set by listener.
  Gauge& client_connections;
  Counter& client_connections_accepted;
  Counter& client_connections_refused;     // over connections_max
  Family<Counter, 2>& http_responses;      // {endpoint: kind of path, status: "200"}
  Family<Counter, 1>& client_disconnects;  // {phase: "before_first_byte"|"streaming"}

  // ExtProc door. Set by listener/extproc.
  Gauge& extproc_streams_open;
  Family<Counter, 1>& extproc_streams;  // {outcome: how a stream of Envoy ended}
  // {source: "stream" the processor sees the answer's end, "scrape" it stepped out and only the engine's figures know}
  Family<Counter, 1>& handed_on;  // {result}
  Family<Counter, 1>& extproc_load_source;

  // Upstream side. Set by upstream.
  Family<Counter, 2>&
      upstream_attempts;                 // {endpoint, outcome: "ok"|"status_5xx"|CodeTraits::label}
  Family<Counter, 1>& upstream_retries;  // {reason}
  Counter& upstream_retry_budget_exhausted;
  Family<Counter, 1>& upstream_fallbacks;    // {model} the model that was tried next
  Family<Counter, 1>& upstream_ejections;    // {endpoint}
  Family<Counter, 2>& upstream_connections;  // {endpoint, kind: "new"|"reused"}
  Histogram& upstream_connect;               // seconds, new connections

  // KV events and token ids. Set by discovery's feed and by upstream.
  Family<Counter, 2>& kv_batches;  // {engine, outcome: "live"|"replayed"|"missed"|"malformed"}
  Family<Counter, 2>& kv_events;   // {engine, kind: "stored"|"removed"|"cleared"|"ignored"}
  Family<Counter, 2>& kv_blocks_dropped;    // {engine, reason: "orphan"|"full"}
  Family<Gauge, 1>& kv_blocks;              // {engine} blocks held, over all tiers
  Family<Gauge, 1>& lmcache_instances;      // {state: "registered"|"placed"|"understood"}
  Family<Gauge, 1>& lmcache_chunks;         // {instance} chunks held, over all tiers
  Family<Counter, 1>& lmcache_messages;     // {outcome: "understood"|"not_understood"}
  Family<Counter, 1>& lmcache_events;       // {event: "gap"|"sync_asked"|"sync_done"|...}
  Family<Counter, 1>& prompt_tokens_found;  // {source: "body"|"cache"|"engine"|"local"|"none"}
  Histogram& local_tokenize_latency;        // seconds of a core, rendering included
  Family<Counter, 2>& tokenizer_checks;  // {model, result: "agrees"|"partly"|"differs"|"no_answer"}
  Family<Gauge, 1>& local_tokenizer;     // {model} 1 while prompts are tokenised here
  Histogram& tokenize_latency;           // seconds, an engine's /tokenize
  Family<Counter, 1>& disaggregated_requests;  // {result: "transferred"|"skipped"|"failed"|...}
  Family<Histogram, 1>& prefill_latency;       // {model} seconds, the prefill half

  // Configuration. Set by pipeline/reload.
  Family<Counter, 1>& config_reloads;  // {result: "success"|"failure"}
  Gauge& config_epoch;
  Gauge& config_loaded;  // Unix seconds of the last good load

  // Encoder. Set by signals' encoder client.
  Gauge& encoder_queue;     // jobs waiting
  Histogram& encoder_wait;  // seconds in the queue
  Histogram& encoder_pass;  // seconds of one forward pass
  Counter& encoder_passes;
  Counter& encoder_tokens;
  Family<Counter, 1>& encoder_rung;  // {rung: which step of the ladder answered}

  // Losses of telemetry itself. Set by the owners of the span queue and the access log.
  Counter& spans_exported;
  Counter& spans_dropped;
  Counter& access_log_dropped;

  // Called once at start. `engines` appends one sample per engine of the current table and is called at each scrape on
  // the scraping thread, so engines that left the table leave the exposition; it must not call the registry. What was
  // counted of an engine stays for kGoneEngineShown more, so that its last failures are scraped.
  void watch_engines(std::function<void(std::vector<EngineSample>&)> engines,
                     const Clock& clock = system_clock());
  // signalbox_build_info{version,revision,compiler} 1.
  void set_build_info(const BuildInfo& info);

 private:
  class ModelTable;
  // Takes out what was counted of engines that have not been among `engines` for kGoneEngineShown.
  void forget_gone(const std::vector<EngineSample>& engines, TimePoint now);

  Registry& registry_;
  std::unique_ptr<ModelTable> models_;
  std::map<std::string, TimePoint>
      gone_since_;  // by engine; under the registry's lock, as scrapes are
};

}  // namespace signalbox::telemetry
