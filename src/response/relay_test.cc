#include "response/relay.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "net/testing/fake_network.h"
#include "net/testing/manual_loop.h"
#include "response/recording_sink.h"

namespace signalbox::response {
namespace {

using exchange::Endpoint;
using http::Framing;
using net_testing::FakeNetwork;
using net_testing::FakePeer;
using net_testing::ManualLoop;
using std::chrono::seconds;

constexpr std::string_view kStreamHead =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
constexpr std::string_view kToken = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n";
constexpr std::string_view kUsage = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1}}\n\n";
constexpr std::string_view kDone = "data: [DONE]\n\n";

std::string chunk(std::string_view payload) {
  return std::string(http::ChunkOpening(payload.size()).text()).append(payload).append("\r\n");
}

struct Fixture {
  Fixture() {
    network.script("engine:80", nullptr);
    auto acquired = loop.run_task(pool.acquire({"engine", 80, false}, Deadline::none(), &cancel));
    EXPECT_TRUE(acquired.has_value());
    lease = std::move(*acquired);
  }
  FakePeer& peer() { return network.peer(0); }
  Result<void> run() {
    auto head = loop.run_task(lease.exchange("GET / HTTP/1.1\r\n\r\n", {}, {}));
    if (!head) return std::unexpected(head.error());
    options.endpoint = observing.endpoint;
    observer.emplace(observing);
    return loop.run_task(
        relay(&lease, std::move(*head), &sink, &*observer, &loop.clock(), options));
  }

  ManualLoop loop;
  FakeNetwork network{loop};
  http::ClientPool pool{loop, network};
  net::Cancellation cancel;
  http::Lease lease;
  RecordingSink sink;
  Observer::Options observing{.endpoint = Endpoint::kChatCompletions};
  std::optional<Observer> observer;
  RelayOptions options{.request_id = "r1"};
};

TEST(Relay, WritesEachTokenOnceAsItArrives) {
  Fixture f;
  f.peer().send(std::string(kStreamHead));
  for (int i = 0; i < 3; ++i) f.peer().send(chunk(kToken), std::chrono::milliseconds(5));
  f.peer().send(chunk(kDone) + "0\r\n\r\n");
  ASSERT_TRUE(f.run().has_value());
  EXPECT_EQ(f.sink.head().body.kind, Framing::kChunked);
  ASSERT_EQ(f.sink.writes().size(), 5U);  // the head went out alone, at once
  EXPECT_EQ(f.sink.writes()[0], "");
  EXPECT_EQ(f.sink.writes()[1], kToken);
  EXPECT_EQ(f.sink.writes()[4], kDone);
  EXPECT_TRUE(f.sink.finished());
  EXPECT_TRUE(f.observer->usage().complete);
  EXPECT_EQ(f.observer->usage().itl_count, 2U);
  EXPECT_EQ(f.pool.idle_count(), 1U);
}

TEST(Relay, SendsAJsonAnswerAndItsHeadInOneWriteWithALength) {
  for (const bool chunked : {true, false}) {
    Fixture f;
    const std::string body = R"({"usage":{"prompt_tokens":1,"completion_tokens":2}})";
    std::string head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
    head += chunked ? "Transfer-Encoding: chunked\r\n\r\n"
                    : "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n";
    f.peer().send(head);
    f.peer().send(chunked ? chunk(body) + "0\r\n\r\n" : body);
    ASSERT_TRUE(f.run().has_value());
    EXPECT_EQ(f.sink.head().body.kind, Framing::kLength);
    EXPECT_EQ(f.sink.head().body.length, body.size());
    EXPECT_EQ(f.sink.writes(), std::vector<std::string>{body});
    EXPECT_TRUE(f.sink.finished());
    EXPECT_EQ(f.observer->usage().completion_tokens, 2);
    EXPECT_EQ(f.pool.idle_count(), 1U);
  }
}

TEST(Relay, EditsTheHeadAndDropsHopByHopFields) {
  Fixture f;
  f.options.edit_head = [](http::Headers& headers) {
    headers.remove("server");
    headers.set("x-vsr-selected-model", "math");
  };
  f.peer().send(
      "HTTP/1.1 429 Too Many Requests\r\nConnection: x-hop\r\nX-Hop: 1\r\nServer: "
      "uvicorn\r\nRetry-After: 3\r\n"
      "x-vsr-selected-model: forged\r\nx-vsr-selected-model: twice\r\nContent-Length: 0\r\n\r\n");
  ASSERT_TRUE(f.run().has_value());
  const auto& headers = f.sink.head().headers;
  EXPECT_EQ(f.sink.head().status, 429);
  EXPECT_EQ(headers.get("retry-after"), "3");
  EXPECT_EQ(headers.get("x-vsr-selected-model"), "math");
  EXPECT_EQ(headers.count("x-vsr-selected-model"), 1U);
  for (const auto* name : {"connection", "x-hop", "server"})
    EXPECT_FALSE(headers.has(name)) << name;
}

TEST(Relay, EndsAStreamWhoseUpstreamDiesWithAnErrorEvent) {
  Fixture f;
  f.peer().send(std::string(kStreamHead) + chunk(kToken));
  f.peer().reset();
  const auto done = f.run();
  ASSERT_FALSE(done.has_value());
  EXPECT_EQ(done.error().code, Code::kUpstreamReset);
  const auto body = f.sink.body();
  EXPECT_TRUE(body.starts_with(std::string(kToken) + "data: {\"error\":{")) << body;
  EXPECT_TRUE(body.ends_with("}\n\n"));
  EXPECT_EQ(body.find("[DONE]"), std::string::npos);
  EXPECT_TRUE(f.sink.finished());
  EXPECT_FALSE(f.observer->usage().complete);
  EXPECT_TRUE(f.peer().closed());
}

TEST(Relay, ClosesTheFrameInWhichTheUpstreamDiedBeforeTheErrorEvent) {
  Fixture f;
  f.peer().send(std::string(kStreamHead) + chunk("data: {\"cho"));
  f.peer().finish();
  EXPECT_EQ(f.run().error().code, Code::kUpstreamReset);
  EXPECT_TRUE(f.sink.body().starts_with("data: {\"cho\n\ndata: {\"error\":{")) << f.sink.body();
}

TEST(Relay, DropsAHeldPartOfAFrameWhenTheUpstreamDies) {
  Fixture f;
  f.observing.hide_usage_chunk = true;
  f.peer().send(std::string(kStreamHead) + chunk("data: {\"cho"));
  f.peer().finish();
  EXPECT_EQ(f.run().error().code, Code::kUpstreamReset);
  EXPECT_TRUE(f.sink.body().starts_with("data: {\"error\":{")) << f.sink.body();
}

TEST(Relay, SendsAnthropicClientsTheirOwnErrorEvent) {
  Fixture f;
  f.observing.endpoint = Endpoint::kMessages;
  f.peer().send(std::string(kStreamHead) + chunk("event: ping\ndata: {}\n\n"));
  f.peer().reset();
  EXPECT_FALSE(f.run().has_value());
  EXPECT_NE(f.sink.body().find("event: error\ndata: {\"type\":\"error\""), std::string::npos)
      << f.sink.body();
}

TEST(Relay, TakesACloseWithoutTheEndMarkForADeath) {
  const std::string head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";
  Fixture broken;
  broken.peer().send(head + std::string(kToken));
  broken.peer().finish();
  EXPECT_EQ(broken.run().error().code, Code::kUpstreamReset);
  EXPECT_NE(broken.sink.body().find("\"error\""), std::string::npos);
  for (const std::string_view end : {"data: [DONE]\n\n", "data: [DONE]\n"}) {
    Fixture whole;
    whole.peer().send(head + std::string(kToken));
    whole.peer().send(std::string(end));
    whole.peer().finish();
    EXPECT_TRUE(whole.run().has_value());
    EXPECT_EQ(whole.sink.body(), std::string(kToken) + std::string(end));
    EXPECT_TRUE(whole.sink.finished());
  }
}

TEST(Relay, LeavesATruncatedPlainAnswerUnfinished) {
  for (const std::string_view framing : {"Content-Length: 100", "Transfer-Encoding: chunked"}) {
    Fixture f;
    f.peer().send("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" + std::string(framing) +
                  "\r\n\r\n");
    f.peer().send("5\r\n{\"a\":");
    f.peer().finish();
    EXPECT_EQ(f.run().error().code, Code::kUpstreamReset);
    EXPECT_TRUE(f.sink.started());
    EXPECT_FALSE(f.sink.finished());
    EXPECT_EQ(f.sink.body().find("error"), std::string::npos);
  }
}

TEST(Relay, StartsNothingWhenAPlainAnswerDiesBeforeItsFirstByte) {
  Fixture f;
  f.peer().send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
  f.peer().finish();
  EXPECT_EQ(f.run().error().code, Code::kUpstreamReset);
  EXPECT_FALSE(f.sink.started());  // so another attempt is possible
}

TEST(Relay, GivesUpOnAnUpstreamThatFallsSilent) {
  Fixture f;
  f.options.idle_timeout = seconds(3);
  f.peer().send(std::string(kStreamHead) + chunk(kToken));
  EXPECT_EQ(f.run().error().code, Code::kUpstreamTimeout);
  EXPECT_NE(f.sink.body().find("\"error\""), std::string::npos);
}

TEST(Relay, ClosesTheUpstreamWhenTheClientGoesAway) {
  Fixture on_write;
  on_write.sink.accept_only(1);
  on_write.peer().send(std::string(kStreamHead));
  on_write.peer().send(chunk(kToken));
  EXPECT_EQ(on_write.run().error().code, Code::kCancelled);
  EXPECT_TRUE(on_write.peer().closed());
}

struct CancelLater final : net::Timer {
  explicit CancelLater(net::Cancellation& target) : cancel(target) {}
  void expired() override { cancel.cancel(); }
  net::Cancellation& cancel;
};

TEST(Relay, StopsAtOnceWhenItIsCancelledBetweenTokens) {
  Fixture f;
  f.peer().send(std::string(kStreamHead) + chunk(kToken));
  CancelLater later(f.cancel);
  f.loop.arm(later, Deadline::after(f.loop.now(), seconds(1)));
  const auto begin = f.loop.now();
  EXPECT_EQ(f.run().error().code, Code::kCancelled);
  EXPECT_LT(f.loop.now() - begin, seconds(2));
  EXPECT_EQ(f.sink.body(), kToken);  // no error event for a client that is gone
  EXPECT_TRUE(f.peer().closed());
}

TEST(Relay, HidesTheUsageChunkAndKeepsTheRest) {
  Fixture f;
  f.observing.hide_usage_chunk = true;
  f.peer().send(std::string(kStreamHead));
  f.peer().send(chunk(std::string(kToken) + std::string(kUsage)));
  f.peer().send(chunk(kDone) + "0\r\n\r\n");
  ASSERT_TRUE(f.run().has_value());
  EXPECT_EQ(f.sink.body(), std::string(kToken) + std::string(kDone));
  EXPECT_EQ(f.observer->usage().prompt_tokens, 1);
}

}  // namespace
}  // namespace signalbox::response
