#include "listener/extproc/session.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "listener/extproc/door.h"
#include "listener/extproc/header_edits.h"
#include "net/testing/manual_loop.h"

namespace signalbox::listener {
namespace {

using std::chrono::seconds;

// Envoy's side of a stream: keeps what it is answered; messages are given when they are wanted.
class FakeLink final : public ProxyLink {
 public:
  void want() override { ++wanted; }
  void send(ProxyAnswer answer) override { answers.push_back(std::move(answer)); }
  void finish(std::optional<Error> error) override {
    finished = true;
    end = std::move(error);
  }
  std::string peer_address() const override { return "10.0.0.1"; }

  const ProxyReply& reply(std::size_t index) const {
    return std::get<ProxyReply>(answers.at(index));
  }
  const ImmediateReply& immediate() const { return std::get<ImmediateReply>(answers.back()); }

  int wanted = 1;  // the first comes unasked
  bool finished = false;
  std::optional<Error> end;
  std::vector<ProxyAnswer> answers;
};

// Does what a test says in the place of the pipeline.
class FakeHandler final : public ProxyHandler {
 public:
  bool concerns(std::string_view path) const override { return path.starts_with("/v1/"); }
  net::Task<void> handle_carried(exchange::Exchange& exchange, http::ClientSink& sink,
                                 Carrier& carrier, net::Cancellation& gone) override {
    body = exchange.client.body;
    path = exchange.client.path;
    query = exchange.client.query;
    peer = exchange.client.peer_address;
    if (answer_itself) {
      http::ResponseStart start;
      start.status = 200;
      start.headers.add("Content-Type", "text/plain");
      co_await sink.start(std::move(start), "mine");
      co_await sink.finish();
      co_return;
    }
    Carried carried;
    carried.headers = exchange.client.headers;
    carried.headers.set("x-model", "m");
    carried.body = rewritten.empty() ? body : rewritten;
    carried.body_changed = !rewritten.empty();
    carried.destination = "10.0.0.9:8000";
    auto head = co_await carrier.send(std::move(carried));
    failed = !head;
    if (!head || !*head) co_return;
    status = (*head)->status;
    auto headers = std::move((*head)->headers);
    headers.set("x-why", "because");
    carrier.start(std::move(headers), watch);
    for (;;) {
      auto piece = co_await carrier.read();
      failed = !piece;
      if (!piece) co_return;
      seen += piece->bytes;
      const bool last = piece->last;
      if (drop == piece->bytes) {
        carrier.pass({});
      } else {
        carrier.pass(piece->bytes);
      }
      if (last) break;
    }
    client_gone = gone.cancelled();
    complete = true;
  }
  void rejected(const Error& error) override { rejection = error.code; }

  bool answer_itself = false;
  std::string rewritten;
  std::string drop = "nothing";
  Watch watch = Watch::kWhole;
  std::string body, path, query, peer, seen;
  int status = 0;
  bool failed = false;
  bool complete = false;
  bool client_gone = false;
  std::optional<Code> rejection;
};

ProxyMessage request_headers(BodyMode request, BodyMode response, bool end = false) {
  ProxyMessage message;
  message.part = HttpPart::kRequestHeaders;
  message.headers.add(":method", "POST");
  message.headers.add(":path", "/v1/chat/completions?a=b");
  message.headers.add("accept-encoding", "gzip");
  message.headers.add("x-gateway-destination-endpoint", "127.0.0.1:1");
  message.modes = BodyModes{.request = request, .response = response};
  message.end_of_stream = end;
  return message;
}

ProxyMessage piece_of(HttpPart part, std::string body, bool end) {
  ProxyMessage message;
  message.part = part;
  message.body = std::move(body);
  message.end_of_stream = end;
  return message;
}

ProxyMessage response_headers(bool end = false) {
  ProxyMessage message;
  message.part = HttpPart::kResponseHeaders;
  message.headers.add(":status", "200");
  message.headers.add("content-type", "application/json");
  message.end_of_stream = end;
  return message;
}

class SessionTest : public testing::Test {
 protected:
  // A test may leave its exchange half done; Envoy then ends the stream.
  void TearDown() override {
    if (!link_.finished) close();
    EXPECT_TRUE(link_.finished);
  }
  void begin() {
    tasks_.spawn(serve());
    loop_.run_ready();
  }
  net::Task<void> serve() { end_ = co_await session_.serve(&settings_); }
  void give(ProxyMessage message) {
    ASSERT_GT(link_.wanted, 0) << "nobody asked for a message";
    --link_.wanted;
    session_.conversation().deliver(std::move(message));
    loop_.run_ready();
  }
  void give_body(const std::vector<std::string>& pieces, bool end = true) {
    for (std::size_t i = 0; i < pieces.size(); ++i) {
      give(piece_of(HttpPart::kRequestBody, pieces[i], end && i + 1 == pieces.size()));
    }
  }
  void close() {
    session_.conversation().closed();
    loop_.run_ready();
  }
  std::string set_value(std::size_t index, std::string_view name) {
    for (const auto& [set, value] : link_.reply(index).headers.set) {
      if (set == name) return value;
    }
    return {};
  }
  bool removes(std::size_t index, std::string_view name) {
    const auto& removed = link_.reply(index).headers.removed;
    return std::find(removed.begin(), removed.end(), name) != removed.end();
  }

  net_testing::ManualLoop loop_;
  net::TaskGroup tasks_{loop_};
  FakeLink link_;
  FakeHandler handler_;
  Random random_{1};
  ConnectionSettings settings_;
  Session session_{link_, loop_, handler_, random_};
  std::optional<SessionEnd> end_;
};

TEST_F(SessionTest, ABufferedBodyIsRewrittenWithItsLengthAndTheRouteIsChosenAgain) {
  handler_.rewritten = "rewritten";
  begin();
  give(request_headers(BodyMode::kBuffered, BodyMode::kBuffered));
  ASSERT_EQ(link_.answers.size(), 1U);
  EXPECT_TRUE(link_.reply(0).headers.empty());
  EXPECT_FALSE(link_.reply(0).override_modes);
  give_body({"original"});
  EXPECT_EQ(handler_.body, "original");
  EXPECT_EQ(handler_.path, "/v1/chat/completions");
  EXPECT_EQ(handler_.query, "a=b");
  ASSERT_EQ(link_.answers.size(), 2U);
  EXPECT_EQ(link_.reply(1).part, HttpPart::kRequestBody);
  EXPECT_EQ(link_.reply(1).body, "rewritten");
  EXPECT_EQ(set_value(1, "content-length"), "9");
  EXPECT_EQ(set_value(1, "x-model"), "m");
  EXPECT_TRUE(removes(1, "x-gateway-destination-endpoint"));
  EXPECT_TRUE(link_.reply(1).clear_route_cache);
  EXPECT_EQ(link_.reply(1).destination, "10.0.0.9:8000");
  give(response_headers());
  EXPECT_EQ(handler_.status, 200);
  EXPECT_EQ(set_value(2, "x-why"), "because");
  give(piece_of(HttpPart::kResponseBody, "answer", true));
  EXPECT_EQ(link_.reply(3).action, ProxyReply::Body::kKeep);
  EXPECT_EQ(handler_.seen, "answer");
  EXPECT_EQ(end_, SessionEnd::kCarried);
  EXPECT_TRUE(link_.finished);
  EXPECT_FALSE(link_.end);
}

TEST_F(SessionTest, WhatTheDoorHasAnsweredIsNotAnsweredAgain) {
  handler_.rewritten = "rewritten";
  begin();
  auto headers = request_headers(BodyMode::kBuffered, BodyMode::kNone);
  headers.answered = true;
  give(std::move(headers));
  EXPECT_TRUE(link_.answers.empty());
  give_body({"original"});
  ASSERT_EQ(link_.answers.size(), 1U);
  EXPECT_EQ(link_.reply(0).part, HttpPart::kRequestBody);
  EXPECT_EQ(link_.reply(0).body, "rewritten");
  EXPECT_TRUE(removes(0, "x-gateway-destination-endpoint"));
}

// An answer to headers that were answered already would be one too many for Envoy.
TEST_F(SessionTest, ATooLongBodyWhoseHeadersWentOnIsRefusedWhenItComes) {
  settings_.body_bytes_max = 4;
  begin();
  auto headers = request_headers(BodyMode::kBuffered, BodyMode::kNone);
  headers.headers.add("content-length", "8");
  headers.answered = true;
  give(std::move(headers));
  EXPECT_TRUE(link_.answers.empty());
  give_body({"too long"});
  ASSERT_EQ(link_.answers.size(), 1U);
  EXPECT_EQ(link_.immediate().status, 413);
}

TEST(GoesOn, OnlyWhereTheWholeBodyFollowsTheHeaders) {
  const FakeHandler handler;
  for (const BodyMode mode : {BodyMode::kNone, BodyMode::kStreamed, BodyMode::kBuffered,
                              BodyMode::kBufferedPartial, BodyMode::kFullDuplex, BodyMode::kGrpc}) {
    EXPECT_EQ(goes_on(request_headers(mode, BodyMode::kNone), handler),
              mode == BodyMode::kBuffered);
  }
  EXPECT_FALSE(goes_on(request_headers(BodyMode::kBuffered, BodyMode::kNone, true), handler));
  auto other = request_headers(BodyMode::kBuffered, BodyMode::kNone);
  other.observed = true;
  EXPECT_FALSE(goes_on(other, handler));
  other = request_headers(BodyMode::kBuffered, BodyMode::kNone);
  other.headers.set(":path", "/health?/v1/");
  EXPECT_FALSE(goes_on(other, handler)) << "none of ours is passed by the session";
  other = request_headers(BodyMode::kBuffered, BodyMode::kNone);
  other.part = HttpPart::kResponseHeaders;
  EXPECT_FALSE(goes_on(other, handler));
}

TEST_F(SessionTest, AnUnchangedBodyIsNotSentBack) {
  begin();
  give(request_headers(BodyMode::kBuffered, BodyMode::kNone));
  give_body({"as it is"});
  EXPECT_EQ(link_.reply(1).action, ProxyReply::Body::kKeep);
  EXPECT_EQ(set_value(1, "content-length"), "");
  close();
  EXPECT_EQ(end_, SessionEnd::kCarried);
  EXPECT_FALSE(handler_.failed) << "an answer that is not shown is no failure";
}

TEST_F(SessionTest, InFullDuplexNothingIsAnsweredBeforeTheWholeBodyIsKnown) {
  handler_.rewritten = std::string(limits::kExtProcPieceBytes + 1, 'r');
  begin();
  give(request_headers(BodyMode::kFullDuplex, BodyMode::kFullDuplex));
  give_body({"one", "two"}, false);
  EXPECT_TRUE(link_.answers.empty());
  give_body({"three"});
  EXPECT_EQ(handler_.body, "onetwothree");
  ASSERT_EQ(link_.answers.size(), 3U);
  EXPECT_EQ(link_.reply(0).part, HttpPart::kRequestHeaders);
  EXPECT_EQ(set_value(0, "x-model"), "m");
  EXPECT_TRUE(link_.reply(0).clear_route_cache);
  EXPECT_EQ(link_.reply(1).action, ProxyReply::Body::kStreamed);
  EXPECT_EQ(link_.reply(1).body.size(), limits::kExtProcPieceBytes);
  EXPECT_FALSE(link_.reply(1).end_of_stream);
  EXPECT_EQ(link_.reply(2).body, "r");
  EXPECT_TRUE(link_.reply(2).end_of_stream);
}

TEST_F(SessionTest, InFullDuplexTrailersFollowTheWholeBody) {
  begin();
  give(request_headers(BodyMode::kFullDuplex, BodyMode::kFullDuplex));
  give_body({"one", "two"}, false);
  give(piece_of(HttpPart::kRequestTrailers, "", true));
  EXPECT_EQ(handler_.body, "onetwo");
  ASSERT_EQ(link_.answers.size(), 3U);
  EXPECT_EQ(link_.reply(1).body, "onetwo");
  EXPECT_FALSE(link_.reply(1).end_of_stream) << "the trailers end it";
  EXPECT_EQ(link_.reply(2).part, HttpPart::kRequestTrailers);
}

TEST_F(SessionTest, AStreamedBodyIsAskedForWholeAndTakenWholeIfEnvoyAgrees) {
  begin();
  give(request_headers(BodyMode::kStreamed, BodyMode::kStreamed));
  ASSERT_TRUE(link_.reply(0).override_modes);
  EXPECT_EQ(link_.reply(0).override_modes->request, BodyMode::kBuffered);
  EXPECT_EQ(link_.reply(0).override_modes->response, BodyMode::kStreamed);
  EXPECT_EQ(set_value(0, "accept-encoding"), "identity");
  EXPECT_TRUE(link_.reply(0).clear_route_cache);
  EXPECT_TRUE(removes(0, "x-gateway-destination-endpoint"));
  give_body({"whole"});
  EXPECT_EQ(link_.answers.size(), 2U);
  give(response_headers(true));
  EXPECT_EQ(set_value(2, "x-signalbox-routed-early"), "");
  EXPECT_TRUE(handler_.complete);
}

TEST_F(SessionTest, AStreamedBodyThatComesInPiecesGoesOnWholeInTheLastOne) {
  begin();
  give(request_headers(BodyMode::kStreamed, BodyMode::kStreamed));
  give_body({"one", "two", "three"});
  ASSERT_EQ(link_.answers.size(), 4U);
  for (const std::size_t empty : {1U, 2U}) {
    EXPECT_EQ(link_.reply(empty).action, ProxyReply::Body::kReplace);
    EXPECT_EQ(link_.reply(empty).body, "");
  }
  EXPECT_EQ(link_.reply(3).body, "onetwothree");
  give(response_headers(true));
  EXPECT_EQ(set_value(4, "x-signalbox-routed-early"), "true");
}

TEST_F(SessionTest, PiecesThatComeBeforeTheHeadersAreAnsweredHoldTheHeadersBack) {
  begin();
  auto first = request_headers(BodyMode::kStreamed, BodyMode::kStreamed);
  first.modes->request_without_waiting = true;
  give(std::move(first));
  give_body({"one", "two"}, false);
  EXPECT_TRUE(link_.answers.empty());
  give_body({"three"});
  ASSERT_EQ(link_.answers.size(), 4U);
  EXPECT_EQ(link_.reply(0).part, HttpPart::kRequestHeaders);
  EXPECT_EQ(set_value(0, "x-model"), "m");
  EXPECT_EQ(link_.reply(1).body + link_.reply(2).body, "");
  EXPECT_EQ(link_.reply(3).body, "onetwothree");
}

TEST_F(SessionTest, HeldPiecesAreLetGoBeforeEnvoysBufferIsFull) {
  begin();
  auto first = request_headers(BodyMode::kStreamed, BodyMode::kStreamed);
  first.modes->request_without_waiting = true;
  give(std::move(first));
  give_body({std::string(limits::kExtProcHeldBytesMax, 'x')}, false);
  EXPECT_TRUE(link_.answers.empty());
  give_body({"y"}, false);
  EXPECT_EQ(link_.answers.size(), 3U);
  give_body({"z"});
  EXPECT_EQ(link_.reply(3).body.size(), limits::kExtProcHeldBytesMax + 2);
}

TEST_F(SessionTest, APartOfABufferedBodyIsRefusedWithTheReason) {
  begin();
  give(request_headers(BodyMode::kBufferedPartial, BodyMode::kNone));
  give_body({"the beginning"}, false);
  EXPECT_EQ(link_.immediate().status, 413);
  EXPECT_EQ(handler_.rejection, Code::kPayloadTooLarge);
  EXPECT_EQ(end_, SessionEnd::kAnswered);
}

TEST_F(SessionTest, ABodyOverTheLimitIsRefusedAsSoonAsThatIsKnown) {
  settings_.body_bytes_max = 10;
  begin();
  give(request_headers(BodyMode::kFullDuplex, BodyMode::kNone));
  give_body({"0123456789", "0"}, false);
  EXPECT_EQ(link_.immediate().status, 413);
  EXPECT_TRUE(link_.finished);
}

TEST_F(SessionTest, AnAnnouncedBodyOverTheLimitIsRefusedUnread) {
  settings_.body_bytes_max = 10;
  begin();
  auto first = request_headers(BodyMode::kBuffered, BodyMode::kNone);
  first.headers.add("content-length", "11");
  give(std::move(first));
  EXPECT_EQ(link_.immediate().status, 413);
}

TEST_F(SessionTest, ARequestWithoutABodyIsAnsweredAtItsHeaders) {
  handler_.answer_itself = true;
  begin();
  give(request_headers(BodyMode::kBuffered, BodyMode::kNone, true));
  EXPECT_EQ(link_.immediate().status, 200);
  EXPECT_EQ(link_.immediate().body, "mine");
  EXPECT_EQ(link_.immediate().headers.at(0).first, "content-type");
  EXPECT_EQ(end_, SessionEnd::kAnswered);
}

TEST_F(SessionTest, RequestsOfOthersPassInEveryPartAndLoseOnlyWhatNoClientMaySay) {
  begin();
  auto first = request_headers(BodyMode::kBuffered, BodyMode::kBuffered);
  first.headers.set(":path", "/other");
  give(std::move(first));
  EXPECT_TRUE(removes(0, "x-gateway-destination-endpoint"));
  EXPECT_EQ(link_.reply(0).override_modes->request, BodyMode::kNone);
  give_body({"body"});
  give(response_headers());
  give(piece_of(HttpPart::kResponseBody, "answer", true));
  EXPECT_EQ(link_.answers.size(), 4U);
  for (std::size_t i = 1; i < 4; ++i) {
    EXPECT_EQ(link_.reply(i).action, ProxyReply::Body::kKeep);
    EXPECT_TRUE(link_.reply(i).headers.empty());
  }
  close();
  EXPECT_EQ(end_, SessionEnd::kPassed);
}

TEST_F(SessionTest, InFullDuplexARequestOfOthersIsSaidAgain) {
  begin();
  auto first = request_headers(BodyMode::kFullDuplex, BodyMode::kFullDuplex);
  first.headers.set(":path", "/other");
  give(std::move(first));
  EXPECT_FALSE(link_.reply(0).override_modes);
  give_body({"one", "two"});
  EXPECT_EQ(link_.reply(1).body, "one");
  EXPECT_FALSE(link_.reply(1).end_of_stream);
  EXPECT_EQ(link_.reply(2).body, "two");
  EXPECT_TRUE(link_.reply(2).end_of_stream);
}

TEST_F(SessionTest, AnAnswerThatComesBeforeAnyBodyPasses) {
  begin();
  give(request_headers(BodyMode::kNone, BodyMode::kNone));
  EXPECT_EQ(link_.reply(0).override_modes->request, BodyMode::kBuffered);
  give(response_headers());
  EXPECT_EQ(link_.reply(1).part, HttpPart::kResponseHeaders);
  close();
  EXPECT_EQ(end_, SessionEnd::kPassed);
  EXPECT_EQ(handler_.path, "");
}

TEST_F(SessionTest, AnEventStreamIsAskedForInPiecesAndADroppedPieceIsDropped) {
  handler_.watch = Watch::kPieces;
  handler_.drop = "two";
  begin();
  give(request_headers(BodyMode::kBuffered, BodyMode::kBuffered));
  give_body({"body"});
  give(response_headers());
  ASSERT_TRUE(link_.reply(2).override_modes);
  EXPECT_EQ(link_.reply(2).override_modes->response, BodyMode::kStreamed);
  give(piece_of(HttpPart::kResponseBody, "one", false));
  give(piece_of(HttpPart::kResponseBody, "two", false));
  give(piece_of(HttpPart::kResponseBody, "three", true));
  EXPECT_EQ(link_.reply(3).action, ProxyReply::Body::kKeep);
  EXPECT_EQ(link_.reply(4).action, ProxyReply::Body::kReplace);
  EXPECT_EQ(link_.reply(4).body, "");
  EXPECT_EQ(link_.reply(5).action, ProxyReply::Body::kKeep);
  EXPECT_EQ(handler_.seen, "onetwothree");
}

TEST_F(SessionTest, InFullDuplexAnAnswerIsSaidAgainWithItsEnd) {
  handler_.drop = "two";
  begin();
  give(request_headers(BodyMode::kFullDuplex, BodyMode::kFullDuplex));
  give_body({"body"});
  const std::size_t before = link_.answers.size();
  give(response_headers());
  give(piece_of(HttpPart::kResponseBody, "one", false));
  give(piece_of(HttpPart::kResponseBody, "two", false));
  give(piece_of(HttpPart::kResponseBody, "", true));
  ASSERT_EQ(link_.answers.size(), before + 3);
  EXPECT_EQ(link_.reply(before + 1).body, "one");
  EXPECT_EQ(link_.reply(before + 2).body, "");
  EXPECT_TRUE(link_.reply(before + 2).end_of_stream);
}

TEST_F(SessionTest, AnAnswerThatNobodyHasToReadIsNotAskedFor) {
  handler_.watch = Watch::kNothing;
  begin();
  give(request_headers(BodyMode::kBuffered, BodyMode::kBuffered));
  give_body({"body"});
  give(response_headers());
  EXPECT_EQ(link_.reply(2).override_modes->response, BodyMode::kNone);
  close();
  EXPECT_TRUE(handler_.complete);
  EXPECT_EQ(end_, SessionEnd::kCarried);
}

TEST_F(SessionTest, AnAnswerThatIsCutIsAFailure) {
  begin();
  give(request_headers(BodyMode::kBuffered, BodyMode::kStreamed));
  give_body({"body"});
  give(response_headers());
  give(piece_of(HttpPart::kResponseBody, "one", false));
  close();
  EXPECT_TRUE(handler_.failed);
  EXPECT_TRUE(link_.finished);
}

TEST_F(SessionTest, ABodyThatDoesNotComeIsToldSo) {
  settings_.body_timeout = seconds(1);
  begin();
  give(request_headers(BodyMode::kFullDuplex, BodyMode::kNone));
  loop_.advance(seconds(2));
  EXPECT_EQ(link_.immediate().status, 408);
  EXPECT_TRUE(link_.finished);
}

TEST_F(SessionTest, AStreamThatEndsBeforeItsBodyLeavesNothing) {
  begin();
  give(request_headers(BodyMode::kFullDuplex, BodyMode::kNone));
  close();
  EXPECT_EQ(end_, SessionEnd::kBroken);
  EXPECT_TRUE(link_.finished);
  EXPECT_TRUE(link_.answers.empty());
  EXPECT_EQ(tasks_.size(), 0U);
}

TEST_F(SessionTest, HeadersThatComeTwiceAreAnError) {
  begin();
  give(request_headers(BodyMode::kBuffered, BodyMode::kNone));
  give(request_headers(BodyMode::kBuffered, BodyMode::kNone));
  EXPECT_EQ(link_.immediate().status, 400);
  EXPECT_TRUE(link_.finished);
}

TEST_F(SessionTest, AnObserverIsNotAnswered) {
  begin();
  auto first = request_headers(BodyMode::kBuffered, BodyMode::kNone);
  first.observed = true;
  give(std::move(first));
  give_body({"body"});
  close();
  EXPECT_TRUE(link_.answers.empty());
  EXPECT_EQ(handler_.path, "");
}

TEST(HeaderEditsTest, OnlyDifferencesAreEditsAndEnvoysOwnFieldsAreLeftAlone) {
  http::Headers before;
  before.add(":path", "/x");
  before.add("host", "a");
  before.add("same", "1");
  before.add("gone", "1");
  before.add("gone", "2");
  before.add("other", "1");
  http::Headers after;
  after.add("Same", "1");
  after.add("Other", "2");
  after.add("More", "1");
  after.add("More", "2");
  after.add("Content-Length", "7");
  const auto edits = header_edits(before, after);
  EXPECT_EQ(edits.removed, std::vector<std::string>{"gone"});
  const std::vector<std::pair<std::string, std::string>> set = {
      {"other", "2"}, {"more", "1"}, {"more", "2"}};
  EXPECT_EQ(edits.set, set);
}

}  // namespace
}  // namespace signalbox::listener
