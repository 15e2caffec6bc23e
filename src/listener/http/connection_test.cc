#include "listener/http/connection.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "net/testing/fake_stream.h"
#include "net/testing/manual_loop.h"

namespace signalbox::listener {
namespace {

using namespace std::chrono_literals;

// Answers with what it saw; holds its answer back when told to.
class EchoHandler final : public Handler {
 public:
  net::Task<void> handle(exchange::Exchange& exchange, http::ClientSink& sink,
                         net::Cancellation& client_gone) override {
    seen.push_back(exchange.client.method + " " + exchange.client.path + " " +
                   exchange.client.body);
    user = exchange.identity.user;
    internal_header_seen |= exchange.client.headers.has("x-vsr-selected-model");
    if (wait_for_gone) co_await wait_until_gone(client_gone);
    gone = client_gone.cancelled();
    http::ResponseStart start;
    start.body.kind = chunked ? http::Framing::kChunked : http::Framing::kLength;
    start.body.length = exchange.client.body.size();
    auto sent = co_await sink.start(std::move(start), exchange.client.body);
    if (sent && !leave_unfinished) static_cast<void>(co_await sink.finish());
  }
  void rejected(const Error& error) override { rejections.push_back(error.code); }

  struct GoneWaiter {
    net::Cancellation& cancellation;
    std::optional<net::Cancellation::Registration> registration;
    explicit GoneWaiter(net::Cancellation& source) : cancellation(source) {}
    bool await_ready() const { return cancellation.cancelled(); }
    void await_suspend(std::coroutine_handle<> handle) {
      registration.emplace(cancellation, [handle] { handle.resume(); });
    }
    void await_resume() {}
  };
  static net::Task<void> wait_until_gone(net::Cancellation& cancellation) {
    co_await GoneWaiter(cancellation);
  }

  std::vector<std::string> seen;
  std::vector<Code> rejections;
  std::string user;
  bool internal_header_seen = false;
  bool chunked = false;
  bool wait_for_gone = false;
  bool leave_unfinished = false;
  bool gone = false;
};

struct Client {
  Client() : group(loop) {
    auto [stream, other] = net_testing::make_fake_stream(loop);
    peer.emplace(std::move(other));
    settings = std::make_shared<ConnectionSettings>();
    settings->identity = {.user = "x-authz-user-id", .groups = "x-authz-user-groups"};
    connection.emplace(std::move(stream), loop, handler, random, dates);
  }
  void start() {
    source = [this] { return std::shared_ptr<const ConnectionSettings>(settings); };
    group.spawn(connection->serve(source));
  }
  // Serves until nothing more can happen, then hangs up.
  std::string run() {
    start();
    while (loop.run_ready()) {
    }
    peer->finish();
    loop.run();
    return peer->received();
  }
  net_testing::ManualLoop loop;
  EchoHandler handler;
  Random random{7};
  http::DateCache dates;
  std::optional<net_testing::FakePeer> peer;
  std::shared_ptr<ConnectionSettings> settings;
  SettingsSource source;
  std::optional<Connection> connection;
  net::TaskGroup group;
};

std::string post(std::string_view body, std::string_view extra = "") {
  return "POST /v1/x HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n" + std::string(extra) + "\r\n" + std::string(body);
}

std::size_t count(std::string_view text, std::string_view part) {
  std::size_t found = 0;
  for (auto at = text.find(part); at != std::string_view::npos; at = text.find(part, at + 1))
    ++found;
  return found;
}

TEST(Connection, PipelinedRequestsAreAnsweredInOrderOnOneConnection) {
  Client client;
  client.peer->send(post("one") + post("two") + post("three"));
  const std::string answer = client.run();
  EXPECT_EQ(client.handler.seen,
            (std::vector<std::string>{"POST /v1/x one", "POST /v1/x two", "POST /v1/x three"}));
  EXPECT_EQ(count(answer, "HTTP/1.1 200 OK"), 3U);
  EXPECT_LT(answer.find("one"), answer.find("two"));
  EXPECT_LT(answer.find("two"), answer.find("three"));
}

TEST(Connection, RequestCutAtEveryByteIsReadTheSame) {
  Client client;
  client.peer->send_bytewise(
      "POST /v1/x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: "
      "chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n" +
      post("next"));
  client.run();
  EXPECT_EQ(client.handler.seen, (std::vector<std::string>{"POST /v1/x abcde", "POST /v1/x next"}));
}

TEST(Connection, ExpectContinueIsAnsweredBeforeTheBodyIsRead) {
  Client client;
  client.start();
  client.peer->send(
      "POST /v1/x HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  while (client.loop.run_ready()) {
  }
  EXPECT_EQ(client.peer->received(), "HTTP/1.1 100 Continue\r\n\r\n");
  client.peer->send("ok");
  client.peer->finish();
  client.loop.run();
  EXPECT_EQ(client.handler.seen, (std::vector<std::string>{"POST /v1/x ok"}));
}

TEST(Connection, BodyOverTheLimitIs413AndIsNotInvited) {
  Client client;
  client.settings->body_bytes_max = 4;
  client.peer->send(
      "POST /v1/x HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
  const std::string answer = client.run();
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 413 ")) << answer;
  EXPECT_EQ(count(answer, "100 Continue"), 0U);
  EXPECT_NE(answer.find("\"code\":\"request_too_large\""), std::string::npos);
  EXPECT_TRUE(client.handler.seen.empty());
}

TEST(Connection, MalformedHeadIs400InOpenAiShapeAndCloses) {
  Client client;
  client.peer->send(
      "POST /v1/x HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab" +
      post("x"));
  const std::string answer = client.run();
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 400 ")) << answer;
  EXPECT_NE(answer.find("Connection: close"), std::string::npos);
  EXPECT_NE(answer.find("invalid_request_error"), std::string::npos);
  EXPECT_TRUE(client.handler.seen.empty());
}

TEST(Connection, ClientThatLeavesDuringTheAnswerIsNoticedBeforeAnythingIsWritten) {
  Client client;
  client.handler.wait_for_gone = true;
  client.peer->send(post("x"));
  client.peer->finish(5ms);
  client.start();
  client.loop.run();
  EXPECT_TRUE(client.handler.gone);
  EXPECT_EQ(client.group.size(), 0U);
}

TEST(Connection, HalfSentHeadTimesOutWith408) {
  Client client;
  client.settings->head_timeout = 3s;
  client.start();
  client.peer->send("POST /v1/x HTT");
  client.loop.advance(2s);
  EXPECT_EQ(client.peer->received(), "");
  client.loop.advance(2s);
  EXPECT_TRUE(client.peer->received().starts_with("HTTP/1.1 408 ")) << client.peer->received();
  client.peer->finish();
  client.loop.run();
}

TEST(Connection, IdleKeepAliveConnectionClosesSilentlyAfterItsTimeout) {
  Client client;
  client.settings->idle_timeout = 10s;
  client.start();
  client.peer->send(post("x"));
  client.loop.advance(9s);
  EXPECT_FALSE(client.peer->closed());
  const std::string before = client.peer->received();
  client.loop.advance(2s);
  EXPECT_TRUE(client.peer->closed());
  EXPECT_EQ(client.peer->received(), before);
}

TEST(Connection, DrainClosesAnIdleConnectionAtOnce) {
  Client client;
  client.start();
  client.peer->send(post("x"));
  while (client.loop.run_ready()) {
  }
  client.connection->drain();
  while (client.loop.run_ready()) {
  }
  EXPECT_TRUE(client.peer->closed());
}

TEST(Connection, UnfinishedAnswerClosesTheConnection) {
  Client client;
  client.handler.leave_unfinished = true;
  client.handler.chunked = true;
  client.peer->send(post("x") + post("y"));
  const std::string answer = client.run();
  EXPECT_EQ(client.handler.seen.size(), 1U);
  EXPECT_EQ(answer.find("\r\n0\r\n\r\n"), std::string::npos);
  EXPECT_TRUE(client.peer->closed());
}

TEST(Connection, Http10ClientGetsAnUnknownLengthWithoutChunks) {
  Client client;
  client.handler.chunked = true;
  client.peer->send("POST /v1/x HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello");
  const std::string answer = client.run();
  EXPECT_EQ(answer.find("chunked"), std::string::npos);
  EXPECT_TRUE(answer.ends_with("\r\n\r\nhello")) << answer;
}

TEST(Connection, IdentityAndInternalHeadersOfUntrustedPeersAreStripped) {
  Client client;
  client.peer->send(post("x", "x-authz-user-id: mallory\r\nx-vsr-selected-model: mine\r\n"));
  client.run();
  EXPECT_EQ(client.handler.user, "");
  EXPECT_FALSE(client.handler.internal_header_seen);
}

TEST(Connection, IdentityOfATrustedPeerCounts) {
  Client client;
  const std::vector<std::string> networks = {"127.0.0.0/8"};
  client.settings->trusted = *TrustedPeers::parse(networks);
  client.peer->send(post("x", "x-authz-user-id: alice\r\n"));
  client.run();
  EXPECT_EQ(client.handler.user, "alice");
}

TEST(TrustedPeers, MatchByPrefixAndFamily) {
  const std::vector<std::string> networks = {"10.0.0.0/9", "fd00::/8", "::1"};
  const auto peers = TrustedPeers::parse(networks);
  ASSERT_TRUE(peers.has_value());
  EXPECT_TRUE(peers->contains("10.127.0.1"));
  EXPECT_FALSE(peers->contains("10.128.0.1"));
  EXPECT_TRUE(peers->contains("fd12::1"));
  EXPECT_TRUE(peers->contains("::1"));
  EXPECT_FALSE(peers->contains("::2"));
  EXPECT_FALSE(peers->contains(""));
}

TEST(TrustedPeers, BadEntriesNameThemselves) {
  const std::vector<std::string> networks = {"10.0.0.0/33"};
  const auto peers = TrustedPeers::parse(networks);
  ASSERT_FALSE(peers.has_value());
  EXPECT_NE(peers.error().message.find("10.0.0.0/33"), std::string::npos);
}

}  // namespace
}  // namespace signalbox::listener
