#include "telemetry/instruments.h"

#include <array>
#include <memory>
#include <set>
#include <utility>

namespace signalbox::telemetry {
namespace {

using EngineSource = std::function<void(std::vector<EngineSample>&)>;

// The engines of one scrape: filled by the first metric that asks, used by the others, so that all agree.
struct EngineScrape {
  EngineSource source;
  std::vector<EngineSample> engines;
};

using EngineValue = std::optional<double> (*)(const EngineSample&);

struct EngineMetric {
  const char* name;
  const char* help;
  MetricType type;
  EngineValue value;
};

std::optional<double> hit_rate(const EngineSample& engine) {
  if (!engine.prefix_cache_hits || !engine.prefix_cache_queries) return std::nullopt;
  if (*engine.prefix_cache_queries <= 0) return 0.0;
  return *engine.prefix_cache_hits / *engine.prefix_cache_queries;
}

using Value = std::optional<double>;
constexpr EngineMetric kEngineMetrics[] = {
    {"vllm:num_requests_running", "Requests sent to an engine and not finished.",
     MetricType::kGauge,
     [](const EngineSample& engine) -> Value { return engine.requests_running; }},
    {"vllm:num_requests_waiting", "Requests waiting in an engine, as it says itself.",
     MetricType::kGauge,
     [](const EngineSample& engine) -> Value { return engine.requests_waiting; }},
    {"vllm:num_prefill_requests", "Requests sent whose first byte is awaited.", MetricType::kGauge,
     [](const EngineSample& engine) -> Value { return engine.requests_prefill; }},
    {"vllm:num_decoding_requests", "Requests whose response is being relayed.", MetricType::kGauge,
     [](const EngineSample& engine) -> Value { return engine.requests_decoding; }},
    {"vllm:healthy_pods_total", "1 for an engine in rotation, else 0.", MetricType::kGauge,
     [](const EngineSample& engine) -> Value {
       return engine.healthy && !engine.ejected ? 1.0 : 0.0;
     }},
    {"vllm:gpu_prefix_cache_hits_total", "Prefix cache hits of an engine, as it says itself.",
     MetricType::kCounter, [](const EngineSample& engine) { return engine.prefix_cache_hits; }},
    {"vllm:gpu_prefix_cache_queries_total", "Prefix cache queries of an engine, as it says itself.",
     MetricType::kCounter, [](const EngineSample& engine) { return engine.prefix_cache_queries; }},
    {"vllm:gpu_prefix_cache_hit_rate", "Hits over queries of an engine's prefix cache.",
     MetricType::kGauge, hit_rate},
    {"vllm:current_qps", "Requests a second sent to an engine over the window.", MetricType::kGauge,
     [](const EngineSample& engine) { return engine.qps; }},
    {"vllm:avg_latency", "Mean seconds of an engine's responses over the window.",
     MetricType::kGauge, [](const EngineSample& engine) { return engine.latency_avg_seconds; }},
    {"signalbox_endpoint_ejected", "1 while outlier ejection keeps an engine out of rotation.",
     MetricType::kGauge,
     [](const EngineSample& engine) -> Value { return engine.ejected ? 1.0 : 0.0; }},
};

}  // namespace

// Not exposed: a family for its lookup and its bounds.
class Instruments::ModelTable final : public FamilyBase {
 public:
  explicit ModelTable(const Instruments& instruments)
      : FamilyBase("models", "", MetricType::kGauge, {"model"}), instruments_(instruments) {}
  ModelCells& of(std::string_view model) { return static_cast<Model&>(series({&model, 1})).cells; }

 private:
  struct Model final : Series {
    Model(const Instruments& of, std::vector<std::string> labels)
        : Series(std::move(labels)), cells(of, this->labels.front()) {}
    void append(std::string&, std::string_view, std::string_view) const override {}
    ModelCells cells;
  };
  std::unique_ptr<Series> make_series(std::vector<std::string> labels) const override {
    return std::make_unique<Model>(instruments_, std::move(labels));
  }
  const Instruments& instruments_;
};

Instruments::Instruments(Registry& r)
    : model_requests(r.counters("llm_model_requests_total", "Requests by model.", {"model"})),
      request_errors(r.counters("llm_request_errors_total", "Failed requests by model and reason.",
                                {"model", "reason"})),
      tokens(r.counters("llm_model_tokens_total", "Prompt and completion tokens.", {"model"})),
      prompt_tokens(r.counters("llm_model_prompt_tokens_total", "Prompt tokens.", {"model"})),
      completion_tokens(
          r.counters("llm_model_completion_tokens_total", "Completion tokens.", {"model"})),
      prompt_tokens_per_request(r.histograms("llm_prompt_tokens_per_request",
                                             "Prompt tokens of one request.", {"model"},
                                             buckets::kTokens)),
      completion_tokens_per_request(r.histograms("llm_completion_tokens_per_request",
                                                 "Completion tokens of one request.", {"model"},
                                                 buckets::kTokens)),
      cost(r.sums("llm_model_cost_total", "Cost of requests to models with a price.",
                  {"model", "currency"})),
      completion_latency(r.histograms("llm_model_completion_latency_seconds",
                                      "Request received to last byte relayed.", {"model"},
                                      buckets::kCompletion)),
      ttft(r.histograms("llm_model_ttft_seconds", "Request received to first token relayed.",
                        {"model"}, buckets::kTtft)),
      tpot(r.histograms("llm_model_tpot_seconds", "Mean time between output tokens of a response.",
                        {"model"}, buckets::kTpot)),
      inflight(r.gauges("llm_model_inflight_requests", "Requests under way.", {"model"})),
      routing_latency(r.histogram("llm_model_routing_latency_seconds",
                                  "Request complete to first attempt.", buckets::kRouting)),
      routing_modifications(r.counters("llm_model_routing_modifications_total",
                                       "Automatic requests by requested name and chosen model.",
                                       {"source_model", "target_model"})),
      routing_reason_codes(r.counters("llm_routing_reason_codes_total",
                                      "Routed requests by why the model was chosen.",
                                      {"reason_code", "model"})),
      reasoning_decisions(r.counters("llm_reasoning_decisions_total",
                                     "Requests whose reasoning mode was decided.",
                                     {"category", "model", "enabled", "effort"})),
      reasoning_effort_usage(r.counters("llm_reasoning_effort_usage_total",
                                        "Requests sent with a reasoning effort.",
                                        {"family", "effort"})),
      signal_extraction(r.counters("llm_signal_extraction_total", "Signals evaluated.",
                                   {"signal_type", "signal_name"})),
      signal_match(r.counters("llm_signal_match_total", "Signals evaluated and matched.",
                              {"signal_type", "signal_name"})),
      signal_latency(r.histograms("llm_signal_extraction_latency_seconds",
                                  "Time to evaluate signals of one type.", {"signal_type"},
                                  buckets::kRouting)),
      classification_confidence(
          r.histograms("llm_classification_confidence", "Confidence of the chosen category.",
                       {"category", "classification_method"}, buckets::kConfidence)),
      decision_evaluation(r.counter("llm_decision_evaluation_total", "Decision evaluations.")),
      decision_latency(r.histogram("llm_decision_evaluation_latency_seconds",
                                   "Time to decide once signals are known.", buckets::kRouting)),
      decision_match(r.counters("llm_decision_match_total", "Requests by winning decision.",
                                {"decision_name"})),
      decision_confidence(r.histograms("llm_decision_confidence",
                                       "Confidence of the winning decision.", {"decision_name"},
                                       buckets::kConfidence)),
      plugin_execution(r.counters("llm_plugin_execution_total", "Plugin runs.",
                                  {"plugin_type", "decision_name", "status"})),
      plugin_latency(r.histograms("llm_plugin_execution_latency_seconds", "Time of one plugin run.",
                                  {"plugin_type"}, buckets::kRouting)),
      incoming_requests(r.counters("vllm:num_incoming_requests_total",
                                   "Requests received by requested model.", {"model"})),
      server_input_tokens(
          r.counters("vllm:input_tokens_total", "Prompt tokens by engine.", {"server", "model"})),
      server_output_tokens(r.counters("vllm:output_tokens_total", "Completion tokens by engine.",
                                      {"server", "model"})),
      server_errors(r.counters("vllm:request_errors_total", "Failed attempts by engine.",
                               {"server", "model", "error_type"})),
      server_latency(r.histograms("vllm:request_latency_seconds", "Time of an engine's answer.",
                                  {"server", "model", "status"}, buckets::kRouterLatency)),
      client_connections(r.gauge("signalbox_client_connections", "Open client connections.")),
      client_connections_accepted(
          r.counter("signalbox_client_connections_accepted_total", "Client connections accepted.")),
      client_connections_refused(
          r.counter("signalbox_client_connections_refused_total",
                    "Client connections closed at once because of connections_max.")),
      http_responses(
          r.counters("signalbox_http_responses_total", "Responses sent.", {"endpoint", "status"})),
      client_disconnects(r.counters("signalbox_client_disconnects_total",
                                    "Clients that left before their response was complete.",
                                    {"phase"})),
      extproc_streams_open(
          r.gauge("signalbox_extproc_streams_open", "Requests of Envoy under way.")),
      extproc_streams(r.counters("signalbox_extproc_streams_total",
                                 "Streams of Envoy by how they ended.", {"outcome"})),
      handed_on(r.counters("signalbox_handed_on_total",
                           "What a Signalbox before this one handed on: taken, or refused.",
                           {"result"})),
      extproc_load_source(r.counters("signalbox_extproc_load_source_total",
                                     "Requests handed to Envoy by what tells when they are over.",
                                     {"source"})),
      upstream_attempts(r.counters("signalbox_upstream_attempts_total",
                                   "Attempts by endpoint and outcome.", {"endpoint", "outcome"})),
      upstream_retries(r.counters("signalbox_upstream_retries_total",
                                  "Attempts after the first, by reason.", {"reason"})),
      upstream_retry_budget_exhausted(
          r.counter("signalbox_upstream_retry_budget_exhausted_total",
                    "Retries not made because the budget was used up.")),
      upstream_fallbacks(r.counters("signalbox_upstream_fallbacks_total",
                                    "Requests handed to the next candidate model.", {"model"})),
      upstream_ejections(r.counters("signalbox_upstream_ejections_total",
                                    "Times outlier ejection took an endpoint out.", {"endpoint"})),
      upstream_connections(r.counters("signalbox_upstream_connections_total",
                                      "Connections used by attempts.", {"endpoint", "kind"})),
      upstream_connect(r.histogram("signalbox_upstream_connect_seconds",
                                   "Time to open an upstream connection.", buckets::kRouting)),
      kv_batches(r.counters("signalbox_kv_event_batches_total",
                            "Batches of KV events by how they came.", {"engine", "outcome"})),
      kv_events(r.counters("signalbox_kv_events_total", "KV events by kind.", {"engine", "kind"})),
      kv_blocks_dropped(r.counters("signalbox_kv_blocks_dropped_total",
                                   "Stored blocks that could not be indexed.",
                                   {"engine", "reason"})),
      kv_blocks(
          r.gauges("signalbox_kv_blocks", "Blocks that an engine says it holds.", {"engine"})),
      lmcache_instances(r.gauges("signalbox_lmcache_instances",
                                 "LMCache instances: registered, placed (their engine is known), "
                                 "understood (their names of chunks are known).",
                                 {"state"})),
      lmcache_chunks(r.gauges("signalbox_lmcache_chunks",
                              "Chunks that an LMCache instance says it holds.", {"instance"})),
      lmcache_messages(r.counters("signalbox_lmcache_messages_total",
                                  "Messages of LMCache's workers.", {"outcome"})),
      lmcache_events(r.counters("signalbox_lmcache_events_total",
                                "Lost operations, full syncs, silent workers and refused ones.",
                                {"event"})),
      prompt_tokens_found(r.counters("signalbox_prompt_token_ids_total",
                                     "Requests whose token ids were wanted, by their source.",
                                     {"source"})),
      local_tokenize_latency(r.histogram("signalbox_local_tokenize_seconds",
                                         "Time to render and tokenise a prompt here.",
                                         buckets::kRouting)),
      tokenizer_checks(r.counters("signalbox_tokenizer_checks_total",
                                  "Comparisons of our tokens with an engine's /tokenize.",
                                  {"model", "result"})),
      local_tokenizer(r.gauges("signalbox_local_tokenizer",
                               "1 while prompts of the model are tokenised here.", {"model"})),
      tokenize_latency(r.histogram("signalbox_tokenize_seconds", "Time of an engine's /tokenize.",
                                   buckets::kRouting)),
      disaggregated_requests(r.counters("signalbox_disaggregated_requests_total",
                                        "Requests with a prefill half, by how that went.",
                                        {"result"})),
      prefill_latency(r.histograms("signalbox_prefill_seconds", "Time of the prefill half.",
                                   {"model"}, buckets::kTtft)),
      config_reloads(
          r.counters("signalbox_config_reloads_total", "Configuration reloads.", {"result"})),
      config_epoch(r.gauge("signalbox_config_epoch", "Number of the configuration in use.")),
      config_loaded(r.gauge("signalbox_config_loaded_timestamp_seconds",
                            "When the configuration in use was loaded.")),
      encoder_queue(
          r.gauge("signalbox_encoder_queue_jobs", "Encoder jobs waiting for a compute thread.")),
      encoder_wait(r.histogram("signalbox_encoder_wait_seconds",
                               "Time of a job in the encoder queue.", buckets::kRouting)),
      encoder_pass(r.histogram("signalbox_encoder_pass_seconds", "Time of one forward pass.",
                               buckets::kRouting)),
      encoder_passes(r.counter("signalbox_encoder_passes_total", "Forward passes.")),
      encoder_tokens(r.counter("signalbox_encoder_tokens_total", "Tokens the encoder looked at.")),
      encoder_rung(r.counters("signalbox_classification_rung_total",
                              "Which step of the degradation ladder answered.", {"rung"})),
      spans_exported(r.counter("signalbox_spans_exported_total", "Spans handed to the collector.")),
      spans_dropped(r.counter("signalbox_spans_dropped_total",
                              "Spans lost because the queue was full or refused.")),
      access_log_dropped(r.counter("signalbox_access_log_dropped_total",
                                   "Access log lines lost because the reader was too slow.")),
      registry_(r),
      models_(std::make_unique<ModelTable>(*this)) {}

Instruments::~Instruments() = default;

ModelCells& Instruments::of_model(std::string_view model) { return models_->of(model); }

ModelCells::ModelCells(const Instruments& of, const std::string& model)
    : requests(of.model_requests.with(model)),
      tokens(of.tokens.with(model)),
      prompt_tokens(of.prompt_tokens.with(model)),
      completion_tokens(of.completion_tokens.with(model)),
      prompt_tokens_per_request(of.prompt_tokens_per_request.with(model)),
      completion_tokens_per_request(of.completion_tokens_per_request.with(model)),
      completion_latency(of.completion_latency.with(model)),
      ttft(of.ttft.with(model)),
      tpot(of.tpot.with(model)) {}

void Instruments::forget_gone(const std::vector<EngineSample>& engines, TimePoint now) {
  std::set<std::string> present;
  for (const auto& engine : engines) present.insert(label_value(engine.server));
  std::erase_if(gone_since_, [&](const auto& gone) { return present.contains(gone.first); });
  const std::array<FamilyBase*, 10> by_engine = {&server_input_tokens, &server_output_tokens,
                                                 &server_errors,       &server_latency,
                                                 &kv_batches,          &upstream_attempts,
                                                 &upstream_ejections,  &upstream_connections,
                                                 &kv_events,           &kv_blocks};
  for (FamilyBase* family : by_engine) {
    for (const auto& engine : family->first_values()) {
      if (present.contains(engine)) continue;
      const TimePoint since = gone_since_.try_emplace(engine, now).first->second;
      if (now - since >= kGoneEngineShown) family->remove(engine);
    }
  }
  std::erase_if(gone_since_,
                [&](const auto& gone) { return now - gone.second >= kGoneEngineShown; });
}

void Instruments::watch_engines(EngineSource engines, const Clock& clock) {
  auto scrape = std::make_shared<EngineScrape>(EngineScrape{std::move(engines), {}});
  bool first = true;
  for (const EngineMetric& metric : kEngineMetrics) {
    registry_.callback(
        metric.name, metric.help, metric.type, {"server"},
        [this, scrape, refresh = first, value = metric.value, &clock](SampleWriter& writer) {
          if (refresh) {
            scrape->engines.clear();
            scrape->source(scrape->engines);
            forget_gone(scrape->engines, clock.now());
          }
          for (const EngineSample& engine : scrape->engines) {
            const std::array<std::string_view, 1> labels = {engine.server};
            if (const auto known = value(engine)) writer.sample(labels, *known);
          }
        });
    first = false;
  }
}

void Instruments::set_build_info(const BuildInfo& info) {
  registry_
      .gauges("signalbox_build_info", "Constant 1; the labels say what runs.",
              {"version", "revision", "compiler"})
      .with(info.version, info.revision, info.compiler)
      .set(1);
}

}  // namespace signalbox::telemetry
