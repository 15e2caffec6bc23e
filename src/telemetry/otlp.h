// Spans as OTLP: the body of POST /v1/traces (Content-Type application/x-protobuf), and the exporter that fills it from
// a SpanQueue. Sending is the pipeline's business and comes in as a function, so that telemetry needs no network.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "telemetry/trace.h"

namespace signalbox::telemetry {

inline constexpr std::string_view kOtlpContentType = "application/x-protobuf";
inline constexpr std::string_view kOtlpTracesPath = "/v1/traces";

// Who the spans come from; attributes of the OTLP resource.
struct OtlpResource {
  std::string service_name = "signalbox";
  std::string service_version;
  std::vector<std::pair<std::string, std::string>> attributes;
};

// ExportTraceServiceRequest with one resource and one scope. Field numbers: opentelemetry-proto 1.x,
// collector/trace/v1/trace_service.proto, trace/v1/trace.proto, common/v1/common.proto, resource/v1/resource.proto.
// O(bytes).
std::string encode_otlp(const OtlpResource& resource, std::span<const Span> spans);

// Takes batches off a queue. Owned by one loop, which calls flush() on a timer and at shutdown.
class OtlpExporter {
 public:
  // Sends one body; calls done(accepted) when the collector has answered or failed, at once or later, on the same
  // thread.
  using Transport = std::function<void(std::string body, std::function<void(bool accepted)> done)>;
  // Told about the fate of spans: how many, and whether they arrived.
  using Report = std::function<void(std::size_t spans, bool accepted)>;

  OtlpExporter(SpanQueue& queue, OtlpResource resource, Transport transport, Report report);
  OtlpExporter(const OtlpExporter&) = delete;
  OtlpExporter& operator=(const OtlpExporter&) = delete;
  ~OtlpExporter() { state_->alive = false; }
  // Sends up to limits::kSpanBatchMax spans if there are any and no send is under way; when more wait, the next batch
  // follows the answer. Spans that are refused are lost and reported: a collector that is down must not cost memory.
  void flush();
  bool sending() const { return state_->sending; }

 private:
  // Shared with the callback of a send under way, which may outlive the exporter.
  struct State {
    SpanQueue& queue;
    OtlpResource resource;
    Transport transport;
    Report report;
    bool sending = false;
    bool alive = true;
  };
  static void send(const std::shared_ptr<State>& state);
  std::shared_ptr<State> state_;
};

}  // namespace signalbox::telemetry
