#include "pipeline/record.h"

#include <fmt/core.h>

#include "exchange/exchange.h"
#include "pipeline/response_headers.h"

namespace signalbox::pipeline {
namespace {

using exchange::SignalState;

double tokens_cost(const config::Pricing& pricing, const exchange::Usage& usage) {
  constexpr double kPerMillion = 1e-6;
  const auto fresh = static_cast<double>(usage.prompt_tokens - usage.cached_tokens);
  const auto cached = static_cast<double>(usage.cached_tokens);
  const double cached_price =
      pricing.cached_input_per_1m > 0 ? pricing.cached_input_per_1m : pricing.prompt_per_1m;
  return kPerMillion * (fresh * pricing.prompt_per_1m + cached * cached_price +
                        static_cast<double>(usage.completion_tokens) * pricing.completion_per_1m);
}

void record_usage(const Recording& r, const exchange::Candidate& candidate,
                  const std::string& model, telemetry::ModelCells& cells,
                  telemetry::Instruments& to) {
  const auto& usage = r.exchange.usage;
  const auto count = [](std::int64_t n) {
    return static_cast<std::uint64_t>(std::max<std::int64_t>(n, 0));
  };
  if (usage.known) {
    cells.prompt_tokens.add(count(usage.prompt_tokens));
    cells.completion_tokens.add(count(usage.completion_tokens));
    cells.tokens.add(count(usage.prompt_tokens + usage.completion_tokens));
    cells.prompt_tokens_per_request.observe(static_cast<double>(usage.prompt_tokens));
    cells.completion_tokens_per_request.observe(static_cast<double>(usage.completion_tokens));
    const double cost = tokens_cost(candidate.model->pricing, usage);
    if (cost > 0) to.cost.with(model, candidate.model->pricing.currency).add(cost);
    const auto& server = r.exchange.answering_attempt()->endpoint_url;
    to.server_input_tokens.with(server, model).add(count(usage.prompt_tokens));
    to.server_output_tokens.with(server, model).add(count(usage.completion_tokens));
  }
  if (usage.ttft.count() > 0) cells.ttft.observe(usage.ttft);
  if (usage.itl_count > 0) cells.tpot.observe(usage.itl_sum / usage.itl_count);
}

void record_decision(const Recording& r, const exchange::Candidate* candidate,
                     telemetry::Instruments& to) {
  const auto& exchange = r.exchange;
  to.decision_evaluation.add();
  to.decision_latency.observe(r.moments.decided_at - r.moments.understood_from);
  for (std::size_t i = 0; i < r.leaves.size() && i < exchange.signals.leaves.size(); ++i) {
    const auto& value = exchange.signals.leaves[i];
    if (value.state == SignalState::kNotEvaluated) continue;
    const auto type = leaf_type(r.leaves[i].kind);
    to.signal_extraction.with(type, r.leaves[i].name).add();
    if (value.state == SignalState::kMatch) to.signal_match.with(type, r.leaves[i].name).add();
    if (i < r.moments.leaf_times.size() && r.moments.leaf_times[i].count() > 0) {
      to.signal_latency.with(type).observe(r.moments.leaf_times[i]);
    }
  }
  const auto rung = rung_name(exchange.signals.rung);
  if (!rung.empty()) {
    to.encoder_rung.with(rung).add();
    to.encoder_passes.add(exchange.signals.encoder_passes);
    to.encoder_tokens.add(exchange.signals.tokens_seen);
    if (!exchange.signals.category.empty()) {
      to.classification_confidence.with(exchange.signals.category, rung)
          .observe(static_cast<double>(exchange.signals.category_confidence));
    }
  }
  const std::string_view name = exchange.decision.decision != nullptr
                                    ? std::string_view(exchange.decision.decision->name)
                                    : "default";
  to.decision_match.with(name).add();
  to.decision_confidence.with(name).observe(exchange.decision.confidence);
  if (exchange.edits.injected_system_prompt)
    to.plugin_execution.with("system_prompt", name, "success").add();
  if (exchange.edits.fast_response)
    to.plugin_execution.with("fast_response", name, "success").add();
  if (candidate == nullptr) return;
  to.routing_modifications.with(exchange.request.model, candidate->public_name).add();
  const std::string_view reason = exchange.decision.use_default ? "default_model" : "decision";
  to.routing_reason_codes.with(reason, candidate->public_name).add();
  if (candidate->use_reasoning) {
    to.reasoning_decisions
        .with(exchange.signals.category, candidate->public_name,
              *candidate->use_reasoning ? "true" : "false", candidate->reasoning_effort)
        .add();
  }
}

std::string error_reason(const Recording& r) {
  if (r.error) return std::string(traits(*r.error).label);
  if (r.status >= 500) return "upstream_5xx";
  if (r.status >= 400) return "upstream_4xx";
  return {};
}

}  // namespace

void record_metrics(const Recording& r, telemetry::Instruments& to) {
  const auto& exchange = r.exchange;
  const auto* candidate = exchange.answering_candidate();
  if (exchange.decision.automatic) record_decision(r, candidate, to);
  const Duration total = r.moments.finished_at - exchange.client.received_at;
  if (r.client_gone) {
    to.client_disconnects.with(exchange.usage.body_bytes > 0 ? "streaming" : "before_first_byte")
        .add();
  }
  if (candidate == nullptr) {
    if (const auto reason = error_reason(r); !reason.empty())
      to.request_errors.with("", reason).add();
    return;
  }
  const std::string& model = candidate->public_name;
  auto& cells = to.of_model(model);
  cells.requests.add();
  if (const auto reason = error_reason(r); !reason.empty())
    to.request_errors.with(model, reason).add();
  if (r.moments.routed_at > exchange.client.received_at) {
    to.routing_latency.observe(r.moments.routed_at - exchange.client.received_at);
  }
  if (exchange.attempts.empty()) return;
  cells.completion_latency.observe(total);
  record_usage(r, *candidate, model, cells, to);
  const auto& server = exchange.answering_attempt()->endpoint_url;
  const bool good = !r.error && r.status < 500;
  to.server_latency.with(server, model, good ? "success" : "error").observe(total);
  if (!good) to.server_errors.with(server, model, error_reason(r)).add();
}

void record_access(const Recording& r, const Clock& clock, telemetry::AccessLog& log) {
  const auto& exchange = r.exchange;
  const auto* candidate = exchange.answering_candidate();
  telemetry::AccessRecord line;
  line.time = clock.unix_time();
  line.request_id = exchange.client.request_id;
  line.trace_id = exchange.client.trace_id;
  line.method = exchange.client.method;
  line.path = exchange.client.path;
  line.status = r.status;
  line.requested_model = exchange.request.model;
  if (candidate != nullptr) {
    line.model = candidate->public_name;
    line.reasoning = candidate->use_reasoning;
  }
  if (exchange.handed_on) line.decision = exchange.handed_on->decision;
  if (exchange.decision.automatic) {
    line.decision = exchange.decision.decision != nullptr
                        ? std::string_view(exchange.decision.decision->name)
                        : std::string_view("default");
    line.category = exchange.signals.category;
    line.confidence = static_cast<float>(exchange.decision.confidence);
    line.rung = rung_name(exchange.signals.rung);
  }
  if (const auto* attempt = exchange.answering_attempt()) line.endpoint = attempt->endpoint_url;
  line.attempts = static_cast<int>(exchange.attempts.size());
  if (exchange.usage.known) {
    line.prompt_tokens = exchange.usage.prompt_tokens;
    line.completion_tokens = exchange.usage.completion_tokens;
    line.cached_tokens = exchange.usage.cached_tokens;
  }
  if (exchange.usage.ttft.count() > 0) line.ttft = exchange.usage.ttft;
  line.duration = r.moments.finished_at - exchange.client.received_at;
  line.bytes_received = exchange.client.body.size() + exchange.client.body_bytes_forgotten;
  line.bytes_sent = exchange.usage.body_bytes;
  line.stream = exchange.request.stream;
  if (r.error) line.error = traits(*r.error).label;
  line.peer = exchange.client.peer_address;
  log.append(line);
}

}  // namespace signalbox::pipeline
