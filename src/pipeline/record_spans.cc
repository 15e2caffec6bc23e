#include <utility>

#include "pipeline/record.h"
#include "pipeline/response_headers.h"

namespace signalbox::pipeline {
namespace {

namespace name = telemetry::span_name;
namespace key = telemetry::span_key;
using telemetry::Span;

// Makes children of the request's span with one reading of the wall clock.
class SpanMaker {
 public:
  SpanMaker(const exchange::ClientRequest& client, const Clock& clock, Random& random)
      : random_(random), wall_(clock) {
    if (const auto id = telemetry::parse_trace_id(client.trace_id)) trace_id_ = *id;
    if (const auto id = telemetry::parse_span_id(client.span_id)) request_span_ = *id;
  }
  Span make(std::string_view span, TimePoint from, TimePoint to) const {
    Span made;
    made.name = span;
    made.trace_id = trace_id_;
    made.span_id = telemetry::make_span_id(random_);
    made.parent_id = request_span_;
    made.start = wall_.of(from);
    made.end = wall_.of(to);
    return made;
  }
  std::chrono::nanoseconds wall(TimePoint time) const { return wall_.of(time); }
  const telemetry::TraceId& trace_id() const { return trace_id_; }
  const telemetry::SpanId& request_span() const { return request_span_; }

 private:
  Random& random_;
  telemetry::WallTime wall_;
  telemetry::TraceId trace_id_{};
  telemetry::SpanId request_span_{};
};

Span request_span(const Recording& r, const SpanMaker& make) {
  const auto& client = r.exchange.client;
  Span span = make.make(name::kRequest, client.received_at, r.moments.finished_at);
  span.span_id = make.request_span();
  span.parent_id = telemetry::parse_span_id(client.parent_span_id).value_or(telemetry::SpanId{});
  span.kind = telemetry::SpanKind::kServer;
  span.set(key::kRequestId, client.request_id);
  span.set(key::kHttpMethod, client.method);
  span.set(key::kHttpPath, client.path);
  span.set(key::kHttpStatus, r.status);
  span.set(key::kOriginalModel, r.exchange.request.model);
  if (!r.exchange.candidates.empty())
    span.set(key::kSelectedModel, r.exchange.candidates.front().public_name);
  if (r.exchange.usage.known) {
    span.set(key::kPromptTokens, r.exchange.usage.prompt_tokens);
    span.set(key::kCompletionTokens, r.exchange.usage.completion_tokens);
  }
  if (r.error) {
    span.status = telemetry::SpanStatus::kError;
    span.status_message = std::string(traits(*r.error).label);
    span.set(key::kError, traits(*r.error).label);
  }
  return span;
}

Span signals_span(const Recording& r, const SpanMaker& make) {
  Span span = make.make(name::kSignals, r.moments.understood_from, r.moments.decided_at);
  std::string matched;
  const auto& values = r.exchange.signals.leaves;
  for (std::size_t i = 0; i < r.leaves.size() && i < values.size(); ++i) {
    if (values[i].state != exchange::SignalState::kMatch) continue;
    if (!matched.empty()) matched += ',';
    matched += std::string(leaf_type(r.leaves[i].kind)) + ':' + r.leaves[i].name;
  }
  span.set(key::kSignalsMatched, matched);
  if (!r.exchange.signals.category.empty()) {
    span.set(key::kCategory, r.exchange.signals.category);
    span.set(key::kCategoryConfidence, static_cast<double>(r.exchange.signals.category_confidence));
    span.set(key::kClassifier, rung_name(r.exchange.signals.rung));
  }
  return span;
}

Span decision_span(const Recording& r, const SpanMaker& make) {
  Span span = make.make(name::kDecision, r.moments.decided_at, r.moments.decided_at);
  const auto& decision = r.exchange.decision;
  span.set(key::kDecision,
           decision.decision != nullptr ? std::string_view(decision.decision->name) : "default");
  span.set(key::kDecisionConfidence, decision.confidence);
  return span;
}

Span attempt_span(const Recording& r, const exchange::Attempt& attempt, TimePoint end, int number,
                  const SpanMaker& make) {
  Span span = make.make(name::kUpstream, attempt.started_at, end);
  span.kind = telemetry::SpanKind::kClient;
  span.set(key::kEndpoint, attempt.endpoint_url);
  span.set(key::kModel, r.exchange.candidates[attempt.candidate].upstream_name);
  span.set(key::kAttempt, number);
  span.set(key::kReused, attempt.reused_connection);
  if (attempt.status != 0) span.set(key::kHttpStatus, attempt.status);
  if (attempt.first_byte_time.count() > 0) {
    span.events.push_back(
        {name::kFirstByte, make.wall(attempt.started_at + attempt.first_byte_time)});
  }
  if (attempt.error) {
    span.status = telemetry::SpanStatus::kError;
    span.status_message = std::string(traits(*attempt.error).label);
  }
  if (number == 1 && r.exchange.edits.injected_system_prompt)
    span.set(key::kPluginType, "system_prompt");
  return span;
}

}  // namespace

void record_spans(const Recording& r, const telemetry::Sampler& sampler, const Clock& clock,
                  Random& random, telemetry::SpanQueue& queue) {
  const SpanMaker make(r.exchange.client, clock, random);
  std::optional<telemetry::TraceContext> parent;
  if (r.exchange.client.trace_sampled) {
    parent = telemetry::TraceContext{
        .trace_id = make.trace_id(), .span_id = {}, .sampled = *r.exchange.client.trace_sampled};
  }
  if (!sampler.sample(make.trace_id(), parent)) return;
  queue.push(request_span(r, make));
  if (r.exchange.decision.automatic) {
    queue.push(signals_span(r, make));
    queue.push(decision_span(r, make));
    if (r.exchange.edits.injected_system_prompt) {
      Span plugin = make.make(name::kSystemPrompt, r.moments.decided_at, r.moments.routed_at);
      plugin.set(key::kPluginType, "system_prompt");
      plugin.set(key::kPluginStatus, "success");
      queue.push(std::move(plugin));
    }
  }
  const auto& attempts = r.exchange.attempts;
  for (std::size_t i = 0; i < attempts.size(); ++i) {
    const TimePoint end =
        i + 1 < attempts.size() ? attempts[i + 1].started_at : r.moments.finished_at;
    queue.push(attempt_span(r, attempts[i], end, static_cast<int>(i) + 1, make));
  }
}

}  // namespace signalbox::pipeline
