#include "sim/metrics.h"

#include <array>

namespace signalbox::sim {
namespace {

using telemetry::MetricType;
using telemetry::SampleWriter;

constexpr const char* kEngineIndex = "0";

// vLLM counts every gap between tokens; one request's gaps are equal here, so its mean stands for all.
Duration mean_gap(const Metrics::Request& request) {
  if (request.completion_tokens < 2) return Duration::zero();
  return (request.total - request.ttft) / static_cast<std::int64_t>(request.completion_tokens - 1);
}

}  // namespace

Metrics::Metrics(const Engine& engine, const Clock& clock)
    : model_(engine.options().model),
      prompt_tokens_(registry_
                         .counters("vllm:prompt_tokens_total",
                                   "Number of prefill tokens processed.", {"engine", "model_name"})
                         .with(kEngineIndex, model_)),
      generation_tokens_(registry_
                             .counters("vllm:generation_tokens_total",
                                       "Number of generation tokens processed.",
                                       {"engine", "model_name"})
                             .with(kEngineIndex, model_)),
      success_(registry_.counters("vllm:request_success_total",
                                  "Count of successfully processed requests.",
                                  {"engine", "finished_reason", "model_name"})),
      aborted_(registry_
                   .counters("signalbox_sim_requests_aborted_total",
                             "Requests whose client left before the end.", {"engine", "model_name"})
                   .with(kEngineIndex, model_)),
      ttft_(registry_
                .histograms("vllm:time_to_first_token_seconds", "Time to first token.",
                            {"engine", "model_name"}, telemetry::buckets::kTtft)
                .with(kEngineIndex, model_)),
      inter_token_(registry_
                       .histograms("vllm:inter_token_latency_seconds", "Time between two tokens.",
                                   {"engine", "model_name"}, telemetry::buckets::kTpot)
                       .with(kEngineIndex, model_)),
      per_output_token_(registry_
                            .histograms("vllm:time_per_output_token_seconds",
                                        "Time per output token (old name).",
                                        {"engine", "model_name"}, telemetry::buckets::kTpot)
                            .with(kEngineIndex, model_)),
      end_to_end_(registry_
                      .histograms("vllm:e2e_request_latency_seconds", "Time of a whole request.",
                                  {"engine", "model_name"}, telemetry::buckets::kCompletion)
                      .with(kEngineIndex, model_)) {
  add_engine_state(engine, clock);
}

void Metrics::add_engine_state(const Engine& engine, const Clock& clock) {
  const auto add = [&](const char* name, const char* help, MetricType type, auto value) {
    registry_.callback(name, help, type, {"engine", "model_name"},
                       [this, value](SampleWriter& writer) {
                         const std::array<std::string_view, 2> labels = {kEngineIndex, model_};
                         writer.sample(labels, static_cast<double>(value()));
                       });
  };
  add("vllm:num_requests_running", "Requests in the running batch.", MetricType::kGauge,
      [&engine] { return engine.running(); });
  add("vllm:num_requests_waiting", "Requests waiting for a place.", MetricType::kGauge,
      [&engine] { return engine.waiting(); });
  for (const char* name : {"vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc"}) {
    add(name, "Share of KV blocks in use, 1 is all.", MetricType::kGauge,
        [&engine] { return engine.cache_usage(); });
  }
  for (const char* name :
       {"vllm:prefix_cache_queries_total", "vllm:gpu_prefix_cache_queries_total"}) {
    add(name, "Tokens looked up in the prefix cache.", MetricType::kCounter,
        [&engine] { return engine.prefix_queries(); });
  }
  for (const char* name : {"vllm:prefix_cache_hits_total", "vllm:gpu_prefix_cache_hits_total"}) {
    add(name, "Tokens found in the prefix cache.", MetricType::kCounter,
        [&engine] { return engine.prefix_hits(); });
  }
  // vLLM prints the names as labels and the time of the reading as the value.
  registry_.callback(
      "vllm:lora_requests_info", "Adapters of running and waiting requests.", MetricType::kGauge,
      {"max_lora", "running_lora_adapters", "waiting_lora_adapters"},
      [&engine, &clock](SampleWriter& writer) {
        if (engine.options().adapters.empty()) return;
        const std::string max = std::to_string(engine.options().adapters.size());
        const std::string running = engine.running_adapters();
        const std::string waiting = engine.waiting_adapters();
        const std::array<std::string_view, 3> labels = {max, running, waiting};
        writer.sample(labels, std::chrono::duration<double>(clock.unix_time()).count());
      });
}

void Metrics::finished(const Request& request) {
  prompt_tokens_.add(request.prompt_tokens);
  generation_tokens_.add(request.completion_tokens);
  success_.with(kEngineIndex, request.cut ? "length" : "stop", model_).add();
  ttft_.observe(request.ttft);
  inter_token_.observe(mean_gap(request));
  per_output_token_.observe(mean_gap(request));
  end_to_end_.observe(request.total);
}

}  // namespace signalbox::sim
