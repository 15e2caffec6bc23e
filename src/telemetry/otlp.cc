#include "telemetry/otlp.h"

#include <bit>
#include <cstdint>

#include "base/limits.h"

namespace signalbox::telemetry {
namespace {

// Writes protobuf fields. Source: protobuf encoding guide; wire types 0 varint, 1 fixed64, 2 length-delimited.
class Message {
 public:
  void varint(std::uint32_t field, std::uint64_t value) {
    put_varint(field << 3);
    put_varint(value);
  }
  void fixed64(std::uint32_t field, std::uint64_t value) {
    put_varint(field << 3 | 1);
    for (int i = 0; i < 8; ++i) bytes_.push_back(static_cast<char>(value >> (8 * i)));
  }
  void bytes(std::uint32_t field, std::string_view value) {
    put_varint(field << 3 | 2);
    put_varint(value.size());
    bytes_ += value;
  }
  void message(std::uint32_t field, const Message& value) { bytes(field, value.bytes_); }
  std::string take() { return std::move(bytes_); }

 private:
  void put_varint(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) bytes_.push_back(static_cast<char>(value | 0x80));
    bytes_.push_back(static_cast<char>(value));
  }
  std::string bytes_;
};

// AnyValue: string_value 1, bool_value 2, int_value 3, double_value 4.
struct AnyValueWriter {
  Message& out;
  void operator()(const std::string& value) const { out.bytes(1, value); }
  void operator()(bool value) const { out.varint(2, value ? 1 : 0); }
  void operator()(std::int64_t value) const { out.varint(3, static_cast<std::uint64_t>(value)); }
  void operator()(double value) const { out.fixed64(4, std::bit_cast<std::uint64_t>(value)); }
};

// KeyValue: key 1, value 2.
Message key_value(std::string_view key, const AttributeValue& value) {
  Message any;
  std::visit(AnyValueWriter{any}, value);
  Message out;
  out.bytes(1, key);
  out.message(2, any);
  return out;
}

template <std::size_t kSize>
std::string_view view(const std::array<std::uint8_t, kSize>& id) {
  return {reinterpret_cast<const char*>(id.data()), id.size()};
}

// Span: trace_id 1, span_id 2, parent_span_id 4, name 5, kind 6, start_time_unix_nano 7, end_time_unix_nano 8,
// attributes 9, events 11, status 15, flags 16 (fixed32, left out). Event: time_unix_nano 1, name 2. Status: message 2,
// code 3.
Message span_message(const Span& span) {
  Message out;
  out.bytes(1, view(span.trace_id));
  out.bytes(2, view(span.span_id));
  if (!is_zero(span.parent_id)) out.bytes(4, view(span.parent_id));
  out.bytes(5, span.name);
  out.varint(6, static_cast<std::uint64_t>(span.kind));
  out.fixed64(7, static_cast<std::uint64_t>(span.start.count()));
  out.fixed64(8, static_cast<std::uint64_t>(span.end.count()));
  for (const auto& [key, value] : span.attributes) out.message(9, key_value(key, value));
  for (const auto& event : span.events) {
    Message written;
    written.fixed64(1, static_cast<std::uint64_t>(event.time.count()));
    written.bytes(2, event.name);
    out.message(11, written);
  }
  if (span.status != SpanStatus::kUnset) {
    Message status;
    if (!span.status_message.empty()) status.bytes(2, span.status_message);
    status.varint(3, static_cast<std::uint64_t>(span.status));
    out.message(15, status);
  }
  return out;
}

}  // namespace

std::string encode_otlp(const OtlpResource& resource, std::span<const Span> spans) {
  Message described;  // Resource: attributes 1
  described.message(1, key_value("service.name", resource.service_name));
  if (!resource.service_version.empty()) {
    described.message(1, key_value("service.version", resource.service_version));
  }
  for (const auto& [key, value] : resource.attributes) described.message(1, key_value(key, value));

  Message scope;  // InstrumentationScope: name 1
  scope.bytes(1, "signalbox");
  Message scope_spans;  // ScopeSpans: scope 1, spans 2
  scope_spans.message(1, scope);
  for (const Span& span : spans) scope_spans.message(2, span_message(span));

  Message resource_spans;  // ResourceSpans: resource 1, scope_spans 2
  resource_spans.message(1, described);
  resource_spans.message(2, scope_spans);
  Message request;  // ExportTraceServiceRequest: resource_spans 1
  request.message(1, resource_spans);
  return request.take();
}

OtlpExporter::OtlpExporter(SpanQueue& queue, OtlpResource resource, Transport transport,
                           Report report)
    : state_(std::make_shared<State>(
          State{queue, std::move(resource), std::move(transport), std::move(report)})) {}

void OtlpExporter::flush() {
  if (!state_->sending) send(state_);
}

void OtlpExporter::send(const std::shared_ptr<State>& state) {
  const std::vector<Span> spans = state->queue.take(limits::kSpanBatchMax);
  if (spans.empty()) return;
  state->sending = true;
  state->transport(encode_otlp(state->resource, spans),
                   [state, count = spans.size()](bool accepted) {
                     if (!state->alive) return;
                     state->sending = false;
                     state->report(count, accepted);
                     if (accepted && state->queue.size() >= limits::kSpanBatchMax) send(state);
                   });
}

}  // namespace signalbox::telemetry
