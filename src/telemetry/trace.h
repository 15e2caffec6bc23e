// Distributed tracing: W3C trace context in and out, spans, sampling, and the bounded queue between the loops that
// record spans and the one exporter. Span names are those of the semantic router where they mean the same, so that
// saved queries go on working. Spans never hold text of a prompt or an answer.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <initializer_list>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/random.h"

namespace signalbox::telemetry {

using TraceId = std::array<std::uint8_t, 16>;
using SpanId = std::array<std::uint8_t, 8>;

TraceId make_trace_id(Random& random);
SpanId make_span_id(Random& random);
bool is_zero(const TraceId& id);
bool is_zero(const SpanId& id);
// Lower-case hexadecimal, 32 or 16 digits.
std::string to_hex(const TraceId& id);
std::string to_hex(const SpanId& id);
// Nothing unless exactly 32 (16) lower-case hexadecimal digits, not all zero.
std::optional<TraceId> parse_trace_id(std::string_view hex);
std::optional<SpanId> parse_span_id(std::string_view hex);

struct TraceContext {
  TraceId trace_id{};
  SpanId span_id{};  // of the sender of a header; of us when we send one
  bool sampled = false;
};

// A traceparent header. Strict: lower case, no zero ids, version 00 has exactly 55 characters, ff is refused, later
// versions may go on after a dash. Nothing means: start a new trace. Source: W3C Trace Context (2021-11-23) section 3.2.
std::optional<TraceContext> parse_traceparent(std::string_view header);
// "00-<trace id>-<span id>-01" (or -00 when not sampled).
std::string format_traceparent(const TraceContext& context);

// Names of spans.
namespace span_name {
inline constexpr std::string_view kRequest = "semantic_router.request.received";
inline constexpr std::string_view kSignals = "semantic_router.signal.evaluation";
inline constexpr std::string_view kClassification = "semantic_router.classification";
inline constexpr std::string_view kDecision = "semantic_router.decision.evaluation";
inline constexpr std::string_view kPlugin = "semantic_router.plugin.execution";
inline constexpr std::string_view kSystemPrompt = "semantic_router.system_prompt.injection";
inline constexpr std::string_view kRouting = "semantic_router.routing.decision";
inline constexpr std::string_view kBackend = "semantic_router.backend.selection";
inline constexpr std::string_view kUpstream = "semantic_router.upstream.request";
inline constexpr std::string_view kResponse = "semantic_router.response.processing";
// Event on kUpstream when the first byte of the response arrives.
inline constexpr std::string_view kFirstByte = "upstream.first_byte";
}  // namespace span_name

// Keys of attributes; only these, so that nobody adds one that holds text of a user.
namespace span_key {
inline constexpr std::string_view kRequestId = "request.id";
inline constexpr std::string_view kHttpMethod = "http.method";
inline constexpr std::string_view kHttpPath = "http.path";
inline constexpr std::string_view kHttpStatus = "http.status_code";
inline constexpr std::string_view kModel = "model.name";
inline constexpr std::string_view kModelEndpoint = "model.endpoint";
inline constexpr std::string_view kReasoning = "model.reasoning_enabled";
inline constexpr std::string_view kReasoningEffort = "model.reasoning_effort";
inline constexpr std::string_view kPromptTokens = "model.token_count_prompt";
inline constexpr std::string_view kCompletionTokens = "model.token_count_completion";
inline constexpr std::string_view kCategory = "category.name";
inline constexpr std::string_view kCategoryConfidence = "category.confidence";
inline constexpr std::string_view kClassifier = "classifier.type";
inline constexpr std::string_view kRoutingReason = "routing.reason";
inline constexpr std::string_view kOriginalModel = "routing.original_model";
inline constexpr std::string_view kSelectedModel = "routing.selected_model";
inline constexpr std::string_view kEndpoint = "endpoint.address";
inline constexpr std::string_view kSignalType = "signal.type";
inline constexpr std::string_view kSignalsMatched = "signal.matched_rules";
inline constexpr std::string_view kDecision = "decision.name";
inline constexpr std::string_view kDecisionConfidence = "decision.confidence";
inline constexpr std::string_view kDecisionStrategy = "decision.strategy";
inline constexpr std::string_view kPluginType = "plugin.type";
inline constexpr std::string_view kPluginStatus = "plugin.status";
inline constexpr std::string_view kAttempt = "upstream.attempt";
inline constexpr std::string_view kReused = "upstream.connection_reused";
inline constexpr std::string_view kError = "error.type";
}  // namespace span_key

using AttributeValue = std::variant<std::string, std::int64_t, double, bool>;

// Numbers as in opentelemetry/proto/trace/v1/trace.proto.
enum class SpanKind : std::uint8_t { kInternal = 1, kServer = 2, kClient = 3 };
enum class SpanStatus : std::uint8_t { kUnset = 0, kOk = 1, kError = 2 };

struct Span {
  struct Event {
    std::string_view name;  // static storage (span_name)
    std::chrono::nanoseconds time{};
  };

  std::string_view name;  // static storage (span_name)
  TraceId trace_id{};
  SpanId span_id{};
  SpanId parent_id{};  // zero: root
  SpanKind kind = SpanKind::kInternal;
  std::chrono::nanoseconds start{};  // since the Unix epoch
  std::chrono::nanoseconds end{};
  SpanStatus status = SpanStatus::kUnset;
  std::string status_message;  // CodeTraits::label
  std::vector<std::pair<std::string_view, AttributeValue>> attributes;
  std::vector<Event> events;

  // Adds an attribute; drops it when there are kSpanAttributesMax, cuts text to kSpanTextBytesMax (whole characters).
  void set(std::string_view key, std::string_view value);
  void set(std::string_view key, const char* value) { set(key, std::string_view(value)); }
  void set(std::string_view key, std::int64_t value) { add(key, value); }
  void set(std::string_view key, int value) { add(key, std::int64_t{value}); }
  void set(std::string_view key, double value) { add(key, value); }
  void set(std::string_view key, bool value) { add(key, value); }

 private:
  void add(std::string_view key, AttributeValue value);
};

// Spans want wall time, stages keep monotonic time: one pair of readings per request joins them.
class WallTime {
 public:
  explicit WallTime(const Clock& clock) : at_(clock.now()), unix_(clock.unix_time()) {}
  std::chrono::nanoseconds of(TimePoint time) const { return unix_ + (time - at_); }

 private:
  TimePoint at_;
  std::chrono::nanoseconds unix_;
};

// Which requests are traced. A sender's sampled flag is followed; others are chosen by trace id, so that several
// routers choose the same ones.
class Sampler {
 public:
  enum class Kind : std::uint8_t { kAlwaysOn, kAlwaysOff, kProbabilistic };
  // rate 0..1, used by kProbabilistic only.
  explicit Sampler(Kind kind = Kind::kAlwaysOff, double rate = 1.0);
  // `parent`: the sender's context, or nothing for a new trace.
  bool sample(const TraceId& trace_id, const std::optional<TraceContext>& parent) const;

 private:
  Kind kind_;
  std::uint64_t threshold_;
};

// Finished spans on their way to the exporter; at most limits::kSpanQueueMax. From any thread; push never waits long:
// the lock is held for moving one span.
class SpanQueue {
 public:
  // False when the queue was full and the span is lost.
  bool push(Span span);
  // Up to `max` of the oldest spans.
  std::vector<Span> take(std::size_t max);
  std::size_t size() const;
  std::uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

 private:
  mutable std::mutex mutex_;
  std::vector<Span> spans_;
  std::atomic<std::uint64_t> dropped_{0};
};

}  // namespace signalbox::telemetry
