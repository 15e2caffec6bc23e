#include "telemetry/trace.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <string>

#include "base/limits.h"

namespace signalbox::telemetry {
namespace {

constexpr const char* kGood = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

TEST(Traceparent, TheExampleOfTheSpecificationParsesAndPrintsBack) {
  const auto context = parse_traceparent(kGood);
  ASSERT_TRUE(context.has_value());
  EXPECT_EQ(to_hex(context->trace_id), "4bf92f3577b34da6a3ce929d0e0e4736");
  EXPECT_EQ(to_hex(context->span_id), "00f067aa0ba902b7");
  EXPECT_TRUE(context->sampled);
  EXPECT_EQ(format_traceparent(*context), kGood);
}

TEST(Traceparent, MalformedHeadersStartANewTrace) {
  for (const char* bad : {
           "",
           "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",       // no flags
           "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",    // upper case
           "00-00000000000000000000000000000000-00f067aa0ba902b7-01",    // zero trace id
           "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",    // zero span id
           "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",    // forbidden version
           "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",  // version 00 ends here
           "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01x",   // more needs a dash
           "00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01",
           "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
           "0-04bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
       }) {
    EXPECT_FALSE(parse_traceparent(bad).has_value()) << bad;
  }
}

TEST(Traceparent, ALaterVersionIsReadAsFarAsItIsKnown) {
  const auto context =
      parse_traceparent("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00-what-comes");
  ASSERT_TRUE(context.has_value());
  EXPECT_FALSE(context->sampled);
}

TEST(Traceparent, WhatWePrintParsesToTheSame) {
  EXPECT_TRUE(rc::check([](std::uint64_t seed, bool sampled) {
    Random random(seed);
    const TraceContext context{make_trace_id(random), make_span_id(random), sampled};
    const auto back = parse_traceparent(format_traceparent(context));
    RC_ASSERT(back.has_value());
    RC_ASSERT(back->trace_id == context.trace_id);
    RC_ASSERT(back->span_id == context.span_id);
    RC_ASSERT(back->sampled == sampled);
  }));
}

TEST(Traceparent, AnyBytesAreReadWithoutHarm) {
  EXPECT_TRUE(rc::check([](const std::string& bytes) {
    const auto context = parse_traceparent(bytes);
    if (context) RC_ASSERT(!is_zero(context->trace_id) && !is_zero(context->span_id));
  }));
}

TEST(Sampler, TheSendersChoiceIsFollowedUnlessTracingIsOff) {
  Random random(1);
  const TraceId id = make_trace_id(random);
  const TraceContext sampled{id, make_span_id(random), true};
  const TraceContext unsampled{id, make_span_id(random), false};
  EXPECT_TRUE(Sampler(Sampler::Kind::kProbabilistic, 0.0).sample(id, sampled));
  EXPECT_FALSE(Sampler(Sampler::Kind::kAlwaysOn).sample(id, unsampled));
  EXPECT_FALSE(Sampler(Sampler::Kind::kAlwaysOff).sample(id, sampled));
}

TEST(Sampler, AProbabilityIsTheShareOfTraces) {
  Random random(2);
  const Sampler tenth(Sampler::Kind::kProbabilistic, 0.1);
  const Sampler all(Sampler::Kind::kProbabilistic, 1.0);
  const Sampler none(Sampler::Kind::kProbabilistic, 0.0);
  int chosen = 0;
  for (int i = 0; i < 10'000; ++i) {
    const TraceId id = make_trace_id(random);
    chosen += tenth.sample(id, std::nullopt) ? 1 : 0;
    EXPECT_TRUE(all.sample(id, std::nullopt));
    EXPECT_FALSE(none.sample(id, std::nullopt));
  }
  EXPECT_NEAR(chosen, 1000, 150);
}

TEST(Span, AttributesAreBoundedInNumberAndSize) {
  Span span;
  span.set(span_key::kModel, std::string(limits::kSpanTextBytesMax - 1, 'a') + "\xc3\xa9");
  EXPECT_EQ(std::get<std::string>(span.attributes[0].second),
            std::string(limits::kSpanTextBytesMax - 1, 'a'));
  for (std::size_t i = 0; i < 2 * limits::kSpanAttributesMax; ++i) span.set(span_key::kAttempt, 1);
  EXPECT_EQ(span.attributes.size(), limits::kSpanAttributesMax);
}

TEST(SpanQueue, WhenFullNewSpansAreCountedAndLost) {
  SpanQueue queue;
  for (std::size_t i = 0; i < limits::kSpanQueueMax; ++i) EXPECT_TRUE(queue.push(Span{}));
  EXPECT_FALSE(queue.push(Span{}));
  EXPECT_EQ(queue.dropped(), 1U);
  EXPECT_EQ(queue.take(10).size(), 10U);
  EXPECT_TRUE(queue.push(Span{}));
  EXPECT_EQ(queue.size(), limits::kSpanQueueMax - 9);
}

}  // namespace
}  // namespace signalbox::telemetry
