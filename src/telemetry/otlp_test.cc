#include "telemetry/otlp.h"

#include <gtest/gtest.h>

#include <bit>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/limits.h"

namespace signalbox::telemetry {
namespace {

// A reader of protobuf that knows nothing but the wire format, so that the writer is not checked by itself.
struct Field {
  std::uint64_t number = 0;  // varint or fixed64
  std::string bytes;         // length-delimited
};
using Fields = std::multimap<std::uint32_t, Field>;

std::uint64_t read_varint(const std::string& from, std::size_t& at) {
  std::uint64_t value = 0;
  for (int shift = 0;; shift += 7) {
    const auto byte = static_cast<unsigned char>(from.at(at++));
    value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
}

Fields decode(const std::string& from) {
  Fields fields;
  for (std::size_t at = 0; at < from.size();) {
    const std::uint64_t key = read_varint(from, at);
    Field field;
    switch (key & 7) {
      case 0:
        field.number = read_varint(from, at);
        break;
      case 1:
        for (int i = 0; i < 8; ++i) {
          field.number |= static_cast<std::uint64_t>(static_cast<unsigned char>(from.at(at++)))
                          << (8 * i);
        }
        break;
      case 2: {
        const std::size_t size = read_varint(from, at);
        field.bytes = from.substr(at, size);
        EXPECT_EQ(field.bytes.size(), size);
        at += size;
        break;
      }
      default:
        ADD_FAILURE() << "wire type " << (key & 7);
        return fields;
    }
    fields.emplace(static_cast<std::uint32_t>(key >> 3), field);
  }
  return fields;
}

const Field& only(const Fields& fields, std::uint32_t number) {
  EXPECT_EQ(fields.count(number), 1U) << number;
  return fields.find(number)->second;
}

Span sample() {
  Random random(7);
  Span span;
  span.name = span_name::kUpstream;
  span.trace_id = make_trace_id(random);
  span.span_id = make_span_id(random);
  span.parent_id = make_span_id(random);
  span.kind = SpanKind::kClient;
  span.start = std::chrono::nanoseconds(1'700'000'000'000'000'001);
  span.end = std::chrono::nanoseconds(1'700'000'000'000'000'999);
  span.status = SpanStatus::kError;
  span.status_message = "upstream_reset";
  span.set(span_key::kModel, "math-expert");
  span.set(span_key::kAttempt, -2);
  span.set(span_key::kCategoryConfidence, 0.25);
  span.set(span_key::kReused, true);
  span.events.push_back(
      {span_name::kFirstByte, std::chrono::nanoseconds(1'700'000'000'000'000'500)});
  return span;
}

TEST(Otlp, ASpanArrivesWithIdsTimesStatusAndEvents) {
  const Span span = sample();
  const std::string body = encode_otlp({.service_version = "0.1.0"}, std::vector<Span>{span});
  const Fields resource_spans = decode(only(decode(body), 1).bytes);
  const Fields resource = decode(only(resource_spans, 1).bytes);
  EXPECT_EQ(resource.count(1), 2U);
  const Fields service = decode(resource.find(1)->second.bytes);
  EXPECT_EQ(only(service, 1).bytes, "service.name");
  EXPECT_EQ(only(decode(only(service, 2).bytes), 1).bytes, "signalbox");

  const Fields read = decode(only(decode(only(resource_spans, 2).bytes), 2).bytes);
  EXPECT_EQ(only(read, 1).bytes, std::string(span.trace_id.begin(), span.trace_id.end()));
  EXPECT_EQ(only(read, 2).bytes, std::string(span.span_id.begin(), span.span_id.end()));
  EXPECT_EQ(only(read, 4).bytes, std::string(span.parent_id.begin(), span.parent_id.end()));
  EXPECT_EQ(only(read, 5).bytes, "semantic_router.upstream.request");
  EXPECT_EQ(only(read, 6).number, 3U);
  EXPECT_EQ(only(read, 7).number, 1'700'000'000'000'000'001U);
  EXPECT_EQ(only(read, 8).number, 1'700'000'000'000'000'999U);
  const Fields status = decode(only(read, 15).bytes);
  EXPECT_EQ(only(status, 2).bytes, "upstream_reset");
  EXPECT_EQ(only(status, 3).number, 2U);
  const Fields event = decode(only(read, 11).bytes);
  EXPECT_EQ(only(event, 1).number, 1'700'000'000'000'000'500U);
  EXPECT_EQ(only(event, 2).bytes, "upstream.first_byte");
}

TEST(Otlp, AttributesKeepTheirTypes) {
  const std::string body = encode_otlp({}, std::vector<Span>{sample()});
  const Fields spans = decode(only(decode(only(decode(body), 1).bytes), 2).bytes);
  const Fields read = decode(only(spans, 2).bytes);
  std::map<std::string, Fields> values;
  for (auto [at, end] = read.equal_range(9); at != end; ++at) {
    const Fields attribute = decode(at->second.bytes);
    values[only(attribute, 1).bytes] = decode(only(attribute, 2).bytes);
  }
  EXPECT_EQ(only(values.at("model.name"), 1).bytes, "math-expert");
  EXPECT_EQ(static_cast<std::int64_t>(only(values.at("upstream.attempt"), 3).number), -2);
  EXPECT_EQ(std::bit_cast<double>(only(values.at("category.confidence"), 4).number), 0.25);
  EXPECT_EQ(only(values.at("upstream.connection_reused"), 2).number, 1U);
}

TEST(Otlp, ARootSpanHasNoParent) {
  Span span = sample();
  span.parent_id = {};
  span.status = SpanStatus::kUnset;
  const std::string body = encode_otlp({}, std::vector<Span>{span});
  const Fields spans = decode(only(decode(only(decode(body), 1).bytes), 2).bytes);
  const Fields read = decode(only(spans, 2).bytes);
  EXPECT_EQ(read.count(4), 0U);
  EXPECT_EQ(read.count(15), 0U);
}

class Collector {
 public:
  OtlpExporter::Transport transport() {
    return [this](std::string body, std::function<void(bool)> done) {
      bodies.push_back(std::move(body));
      pending.push_back(std::move(done));
    };
  }
  OtlpExporter::Report report() {
    return [this](std::size_t spans, bool accepted) { (accepted ? arrived : lost) += spans; };
  }
  std::vector<std::string> bodies;
  std::vector<std::function<void(bool)>> pending;
  std::size_t arrived = 0;
  std::size_t lost = 0;
};

TEST(OtlpExporter, OneSendIsUnderWayAtATimeAndAFullBatchFollows) {
  SpanQueue queue;
  Collector collector;
  OtlpExporter exporter(queue, {}, collector.transport(), collector.report());
  exporter.flush();
  EXPECT_TRUE(collector.bodies.empty());
  for (std::size_t i = 0; i < 2 * limits::kSpanBatchMax + 1; ++i) queue.push(sample());
  exporter.flush();
  exporter.flush();
  EXPECT_EQ(collector.bodies.size(), 1U);
  collector.pending[0](true);
  EXPECT_EQ(collector.bodies.size(), 2U);
  collector.pending[1](true);
  EXPECT_EQ(collector.bodies.size(), 2U);
  EXPECT_EQ(queue.size(), 1U);
  EXPECT_EQ(collector.arrived, 2 * limits::kSpanBatchMax);
}

TEST(OtlpExporter, SpansThatTheCollectorRefusesAreLostAndCounted) {
  SpanQueue queue;
  Collector collector;
  OtlpExporter exporter(queue, {}, collector.transport(), collector.report());
  queue.push(sample());
  exporter.flush();
  collector.pending[0](false);
  EXPECT_EQ(collector.lost, 1U);
  EXPECT_EQ(queue.size(), 0U);
  EXPECT_FALSE(exporter.sending());
}

TEST(OtlpExporter, AnAnswerAfterItsEndIsIgnored) {
  SpanQueue queue;
  Collector collector;
  {
    OtlpExporter exporter(queue, {}, collector.transport(), collector.report());
    queue.push(sample());
    exporter.flush();
  }
  collector.pending[0](true);
  EXPECT_EQ(collector.arrived, 0U);
}

}  // namespace
}  // namespace signalbox::telemetry
