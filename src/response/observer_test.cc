#include "response/observer.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <string>
#include <vector>

#include "base/limits.h"

namespace signalbox::response {
namespace {

using exchange::Endpoint;
using std::chrono::milliseconds;

const TimePoint kStart{std::chrono::hours(1)};

http::ResponseHead head_of(std::string type, int status = 200) {
  http::ResponseHead head;
  head.status = status;
  head.headers.add("Content-Type", std::move(type));
  return head;
}

// What passes when the stream comes in pieces that end at the cuts.
struct Run {
  std::string passed;
  exchange::Usage usage;
  bool end_seen = false;
};

Run run(std::string_view stream, const std::vector<std::size_t>& cuts, Observer::Options options) {
  options.received_at = kStart;
  Observer observer(options);
  observer.start(head_of("text/event-stream; charset=utf-8"));
  Run out;
  std::size_t begin = 0;
  for (std::size_t i = 0; i <= cuts.size(); ++i) {
    const std::size_t end = i < cuts.size() ? cuts[i] : stream.size();
    const std::string piece(stream.substr(begin, end - begin));
    out.passed += observer.observe(piece, kStart);
    begin = end;
  }
  out.passed += observer.finish();
  out.usage = observer.usage();
  out.end_seen = observer.end_seen();
  return out;
}

constexpr std::string_view kRole =
    R"(data: {"choices":[{"delta":{"role":"assistant","content":""}}]})";
constexpr std::string_view kA = R"(data: {"choices":[{"delta":{"content":"a"}}],"usage":null})";
constexpr std::string_view kB = R"(data: {"choices":[{"delta":{"reasoning_content":"b"}}]})";
constexpr std::string_view kUsage =
    R"(data: {"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":3}}})";
constexpr std::string_view kDone = "data: [DONE]";

std::string stream_of(const std::vector<std::string_view>& frames, std::string_view end = "\n") {
  std::string out;
  for (const auto frame : frames) out.append(frame).append(end).append(end);
  return out;
}

TEST(Observer, ReadsUsageAndTheEndOfAChatStreamAtAnySplit) {
  const auto stream = stream_of({kRole, kA, kB, kUsage, kDone});
  for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
    const auto out = run(stream, {cut}, {.endpoint = Endpoint::kChatCompletions});
    ASSERT_EQ(out.passed, stream);
    ASSERT_TRUE(out.usage.known);
    ASSERT_EQ(out.usage.prompt_tokens, 7);
    ASSERT_EQ(out.usage.completion_tokens, 2);
    ASSERT_EQ(out.usage.cached_tokens, 3);
    ASSERT_EQ(out.usage.itl_count, 1U);
    ASSERT_TRUE(out.usage.complete);
    ASSERT_EQ(out.usage.body_bytes, stream.size());
  }
}

TEST(Observer, MeasuresTheFirstTokenAndTheTimeBetweenTokens) {
  Observer observer({.endpoint = Endpoint::kChatCompletions, .received_at = kStart});
  observer.start(head_of("text/event-stream"));
  observer.observe(stream_of({kRole}), kStart + milliseconds(10));
  observer.observe(stream_of({kA}), kStart + milliseconds(30));
  observer.observe(stream_of({kB}), kStart + milliseconds(35));
  observer.observe(stream_of({kUsage}), kStart + milliseconds(36));
  observer.observe(stream_of({kA}), kStart + milliseconds(45));
  EXPECT_EQ(observer.usage().ttft, milliseconds(30));
  EXPECT_EQ(observer.usage().itl_count, 2U);
  EXPECT_EQ(observer.usage().itl_sum, milliseconds(15));
}

TEST(Observer, TakesAStreamWithoutItsEndMarkForIncomplete) {
  const auto out = run(stream_of({kA}), {}, {.endpoint = Endpoint::kChatCompletions});
  EXPECT_FALSE(out.usage.complete);
  EXPECT_TRUE(run(stream_of({kA}), {}, {.endpoint = Endpoint::kOther}).usage.complete);
  // Some engines leave out the empty line after the last event.
  EXPECT_TRUE(run("data: [DONE]", {}, {.endpoint = Endpoint::kChatCompletions}).usage.complete);
}

TEST(Observer, ReadsAnthropicStreams) {
  const auto out =
      run("event: message_start\r\ndata: "
          "{\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":5,"
          "\"cache_read_input_tokens\":4,\"cache_creation_input_tokens\":1,\"output_tokens\":1}}}"
          "\r\n\r\n"
          "event: content_block_delta\r\ndata: "
          "{\"type\":\"content_block_delta\",\"delta\":{\"text\":\"a\"}}\r\n\r\n"
          "event: message_delta\r\ndata: {\"usage\":{\"output_tokens\":9}}\r\n\r\n"
          "event: message_stop\r\ndata: {}\r\n\r\n",
          {}, {.endpoint = Endpoint::kMessages});
  EXPECT_EQ(out.usage.prompt_tokens, 10);
  EXPECT_EQ(out.usage.cached_tokens, 4);
  EXPECT_EQ(out.usage.completion_tokens, 9);
  EXPECT_TRUE(out.usage.complete);
}

TEST(Observer, ReadsResponsesStreams) {
  const auto out =
      run("data: {\"type\":\"response.output_text.delta\",\"delta\":\"a\"}\n\n"
          "data: "
          "{\"type\":\"response.completed\",\"response\":{\"usage\":{\"input_tokens\":5,\"output_"
          "tokens\":6,"
          "\"input_tokens_details\":{\"cached_tokens\":2}}}}\n\n",
          {}, {.endpoint = Endpoint::kResponses});
  EXPECT_EQ(out.usage.prompt_tokens, 5);
  EXPECT_EQ(out.usage.completion_tokens, 6);
  EXPECT_EQ(out.usage.cached_tokens, 2);
  EXPECT_TRUE(out.usage.complete);
}

TEST(Observer, HidesTheUsageChunkAtAnySplitAndLineEnd) {
  for (const std::string_view end : {"\n", "\r\n", "\r"}) {
    const auto stream = stream_of({": ping", kRole, kA, kUsage, kDone}, end);
    const auto expected = stream_of({": ping", kRole, kA, kDone}, end);
    const Observer::Options options{.endpoint = Endpoint::kChatCompletions,
                                    .hide_usage_chunk = true};
    std::vector<std::size_t> every;
    for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
      if (cut > 0) every.push_back(cut);
      const auto out = run(stream, {cut}, options);
      ASSERT_EQ(out.passed, expected) << cut;
      ASSERT_EQ(out.usage.completion_tokens, 2);
      ASSERT_TRUE(out.usage.complete);
    }
    EXPECT_EQ(run(stream, every, options).passed, expected);
  }
}

TEST(Observer, HidesNothingThatCarriesAnythingBesideUsage) {
  const auto stream = stream_of(
      {R"(data: {"choices":[{"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":1}})",
       R"(data: {"choices":[],"usage":null})", R"(data: {"error":{"message":"x"}})",
       "data: not json", kDone});
  EXPECT_EQ(
      run(stream, {}, {.endpoint = Endpoint::kChatCompletions, .hide_usage_chunk = true}).passed,
      stream);
}

TEST(Observer, HidesAUsageChunkWithoutItsEmptyLine) {
  const Observer::Options options{.endpoint = Endpoint::kChatCompletions, .hide_usage_chunk = true};
  EXPECT_EQ(run(std::string(kUsage), {}, options).passed, "");
  EXPECT_EQ(run("data: [DONE]", {5}, options).passed, "data: [DONE]");
}

TEST(Observer, PassesFramesOnAtOnceWhileItHidesUsage) {
  Observer observer({.endpoint = Endpoint::kChatCompletions, .hide_usage_chunk = true});
  observer.start(head_of("text/event-stream"));
  for (const std::string_view end : {"\n", "\r\n"}) {
    const auto frame = stream_of({kA}, end);
    EXPECT_EQ(observer.observe(frame, kStart), frame);
  }
}

TEST(Observer, PassesAnOverlongFrameAsItComesWhileItHidesUsage) {
  const auto stream =
      stream_of({kA, "data: " + std::string(limits::kSseFrameBytesMax + 100, 'x'), kUsage, kDone});
  const auto expected =
      stream_of({kA, "data: " + std::string(limits::kSseFrameBytesMax + 100, 'x'), kDone});
  std::vector<std::size_t> cuts;
  for (std::size_t at = 10'000; at < stream.size(); at += 10'000) cuts.push_back(at);
  const Observer::Options options{.endpoint = Endpoint::kChatCompletions, .hide_usage_chunk = true};
  EXPECT_TRUE(run(stream, cuts, options).passed == expected);
  EXPECT_TRUE(run(stream, {}, options).passed == expected);
}

RC_GTEST_PROP(Observer, PassesEveryOtherByteOfAnyStreamWhileItHidesUsage, ()) {
  const auto parts = *rc::gen::container<std::vector<std::string>>(rc::gen::elementOf(
      std::vector<std::string>{"data: a", "\n", "\r", "\r\n", "\n\n", ": c",
                               std::string(kA) + "\n\n", std::string(kDone) + "\r\n\r\n"}));
  std::string stream;
  for (const auto& part : parts) stream += part;
  const Observer::Options options{.endpoint = Endpoint::kChatCompletions, .hide_usage_chunk = true};
  for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
    RC_ASSERT(run(stream, {cut}, options).passed == stream);
  }
}

exchange::Usage read_json(Endpoint endpoint, const std::vector<std::string_view>& pieces) {
  Observer observer({.endpoint = endpoint, .received_at = kStart});
  observer.start(head_of("application/json"));
  for (const auto piece : pieces) observer.observe(piece, kStart + milliseconds(5));
  observer.finish();
  return observer.usage();
}

TEST(Observer, ReadsTheUsageOfAJsonAnswer) {
  const auto usage = read_json(Endpoint::kChatCompletions,
                               {R"({"usage":{"prompt_tok)", R"(ens":4,"completion_tokens":1}})"});
  EXPECT_TRUE(usage.known);
  EXPECT_EQ(usage.prompt_tokens, 4);
  EXPECT_EQ(usage.completion_tokens, 1);
  EXPECT_EQ(usage.ttft, milliseconds(5));
  EXPECT_TRUE(usage.complete);
  EXPECT_EQ(read_json(Endpoint::kMessages, {R"({"usage":{"input_tokens":2,"output_tokens":3}})"})
                .completion_tokens,
            3);
}

TEST(Observer, PassesOverHostileAndForeignAnswers) {
  for (const auto* body :
       {"", "[]", "null", "{\"usage\":7}", "{\"usage\":{\"prompt_tokens\":-1}}",
        "{\"usage\":", "{\"usage\":{\"prompt_tokens\":1e99}}", "{\"usage\":{},\"usage\":{}}"}) {
    EXPECT_FALSE(read_json(Endpoint::kChatCompletions, {body}).known) << body;
  }
}

TEST(Observer, StopsCollectingAJsonAnswerAtItsLimit) {
  Observer observer({.endpoint = Endpoint::kChatCompletions});
  observer.start(head_of("application/json"));
  const std::string piece(1 << 20, ' ');
  for (std::size_t bytes = 0; bytes <= limits::kResponseScanBytesMax; bytes += piece.size()) {
    EXPECT_EQ(observer.observe(piece, kStart).data(), piece.data());
  }
  observer.observe(R"({"usage":{"prompt_tokens":4}})", kStart);
  observer.finish();
  EXPECT_FALSE(observer.usage().known);
}

TEST(Observer, LeavesCompressedStreamsAlone) {
  Observer observer({.endpoint = Endpoint::kChatCompletions, .hide_usage_chunk = true});
  auto head = head_of("text/event-stream");
  head.headers.add("Content-Encoding", "gzip");
  observer.start(head);
  EXPECT_FALSE(observer.event_stream());
  EXPECT_EQ(observer.observe("\x1f\x8b", kStart), "\x1f\x8b");
}

}  // namespace
}  // namespace signalbox::response
