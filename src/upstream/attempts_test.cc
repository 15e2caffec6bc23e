#include "upstream/attempts.h"

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "discovery/endpoint_table.h"
#include "net/testing/fake_network.h"
#include "net/testing/manual_loop.h"

namespace signalbox::upstream {
namespace {

using net_testing::FakePeer;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::string_view kBody = R"({"model":"asked","messages":[]})";

double seconds_of(Duration wait) { return std::chrono::duration<double>(wait).count(); }

std::string answer(int status, const std::string& body, const std::string& fields = {}) {
  return "HTTP/1.1 " + std::to_string(status) + " x\r\n" + fields +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

// Engines that answer from a script, a balancer that takes replicas in order of candidates and file, and a request.
class Attempts : public ::testing::Test {
 protected:
  Attempts() {
    config.own.limits.connect_timeout = milliseconds(1000);
    config.own.limits.first_byte_timeout = milliseconds(10000);
    config.own.hung.suspect_after = milliseconds(0);
    exchange.client.method = "POST";
    exchange.client.path = "/v1/chat/completions";
    exchange.client.body = kBody;
    exchange.client.trace_id = std::string(32, 'a');
    exchange.client.deadline = Deadline::after(loop.now(), seconds(60));
    exchange.request.endpoint = exchange::Endpoint::kChatCompletions;
    exchange.request.document = *json::Document::parse(exchange.client.body);
  }

  ~Attempts() override { loop.run_task(upstream.close()); }

  // A model on these hosts; each becomes a candidate, in the order of the calls.
  config::Model& model(const std::string& name, const std::vector<std::string>& hosts) {
    config::Model model;
    model.name = name;
    for (const auto& host : hosts) {
      config::BackendRef backend;
      backend.host = host;
      model.backends.push_back(backend);
    }
    config.providers.models.push_back(model);
    return config.providers.models.back();
  }

  // What connection number i (from 0) to the host says, all at once; "" keeps silent; "reset" breaks it; "close" ends it.
  void engine(const std::string& host, std::vector<std::string> answers) {
    auto next = std::make_shared<std::size_t>(0);
    network.script(host + ":80", [this, host, answers = std::move(answers), next](FakePeer& peer) {
      asked.push_back(host);
      const std::string text = answers.at(std::min((*next)++, answers.size() - 1));
      if (text == "reset") {
        peer.reset();
      } else if (text == "close") {
        peer.finish();
      } else if (!text.empty()) {
        peer.send(text);
      }
    });
  }

  void prepare() {
    set = table.publish(config);
    exchange.candidates.clear();
    for (const auto& model : config.providers.models) {
      exchange::Candidate candidate;
      candidate.model = &model;
      candidate.upstream_name = candidate.public_name = model.name;
      exchange.candidates.push_back(candidate);
    }
  }

  Result<Choice> choose(std::span<const discovery::Endpoint* const> excluded) {
    for (const auto& candidate : exchange.candidates) {
      const auto* group = set->find(candidate.model->name);
      if (group == nullptr) continue;
      for (const auto& replica : group->replicas) {
        const auto* endpoint = replica.endpoint.get();
        if (std::find(excluded.begin(), excluded.end(), endpoint) != excluded.end()) continue;
        return Choice{&candidate, &replica,
                      discovery::InFlight(replica.endpoint, {.prefill_tokens = 10}, false)};
      }
    }
    return fail(Code::kUnavailable, "nothing left");
  }

  net::Task<Result<Live>> task() {
    Sending sending{.exchange = &exchange, .config = &config};
    sending.choose = [this](auto excluded) { return choose(excluded); };
    sending.report = [this](discovery::Endpoint& endpoint, discovery::Outcome outcome) {
      reports[endpoint.address().host].push_back(outcome);
    };
    sending.elsewhere = [this](auto excluded) { return choose(excluded).has_value(); };
    sending.cancel = &cancel;
    return upstream.send(std::move(sending));
  }

  Result<Live> send() {
    prepare();
    return loop.run_task(task());
  }

  std::string body_of(Live& live) {
    auto body = loop.run_task(live.lease.body().read_all(
        &loop.clock(), {.bytes_max = 1000, .idle = seconds(5), .total = Deadline::none()}));
    return body.value_or("(broken)");
  }

  int in_flight() const {
    int total = 0;
    for (const auto& entry : set->endpoints()) total += entry.endpoint->in_flight();
    return total;
  }

  net_testing::ManualLoop loop;
  net_testing::FakeNetwork network{loop};
  http::ClientPool clients{loop, network};
  Random random{1};
  telemetry::Registry registry;
  telemetry::Instruments instruments{registry};
  Upstream upstream{loop, clients, random, instruments};
  config::Config config;
  discovery::EndpointTable table;
  std::shared_ptr<const discovery::EndpointSet> set;
  exchange::Exchange exchange;
  net::Cancellation cancel;
  std::vector<std::string> asked;  // hosts dialled, in order
  std::map<std::string, std::vector<discovery::Outcome>> reports;
};

using Hosts = std::vector<std::string>;
using Outcomes = std::vector<discovery::Outcome>;

TEST_F(Attempts, AGoodAnswerIsHandedOnWithItsBodyUnread) {
  model("m", {"a"});
  engine("a", {answer(200, "hello")});
  {
    auto live = send();
    ASSERT_TRUE(live);
    EXPECT_EQ(live->head.status, 200);
    EXPECT_EQ(in_flight(), 1) << "until the response is over";
    EXPECT_EQ(set->endpoints()[0].endpoint->queued_prefill_tokens(), 10)
        << "until the first token, which may come later than the head";
    EXPECT_EQ(body_of(*live), "hello");
  }
  EXPECT_EQ(in_flight(), 0);
  ASSERT_EQ(exchange.attempts.size(), 1u);
  EXPECT_EQ(exchange.attempts[0].status, 200);
  EXPECT_EQ(exchange.attempts[0].endpoint_url, "http://a:80");
  EXPECT_EQ(reports["a"], Outcomes{discovery::Outcome::kSuccess});
  EXPECT_NE(network.peer(0).received().find(R"("model":"m")"), std::string::npos);
}

TEST_F(Attempts, ABodyOfManyPiecesArrivesWhole) {
  model("m", {"a"});
  engine("a", {answer(200, "hello")});
  std::string members;
  for (int i = 0; i < 40; ++i) members += fmt::format(R"(,"k{}":{})", i, i);
  exchange.client.body = R"({"model":"asked")" + members + "}";
  exchange.request.document = *json::Document::parse(exchange.client.body);
  const json::Value root = exchange.request.document.root();
  for (int i = 1; i < 40; i += 2) {
    ASSERT_TRUE(exchange.edits.body.set_member(root, fmt::format("k{}", i), R"("edited")"));
  }
  ASSERT_TRUE(send());
  const std::string& received = network.peer(0).received();
  const std::string body = received.substr(received.find("\r\n\r\n") + 4);
  EXPECT_NE(received.find(fmt::format("\r\nContent-Length: {}\r\n", body.size())),
            std::string::npos)
      << received;
  const auto parsed = json::Document::parse(body);
  ASSERT_TRUE(parsed) << body;
  for (int i = 0; i < 40; ++i) {
    const auto value = *parsed->root().find(fmt::format("k{}", i));
    ASSERT_TRUE(value);
    EXPECT_EQ(value->raw(), i % 2 == 1 ? R"("edited")" : std::to_string(i));
  }
}

TEST_F(Attempts, RetryableStatusesGoToTheNextReplica) {
  for (const int status : {429, 502, 503, 504}) {
    SCOPED_TRACE(status);
    asked.clear();
    exchange.attempts.clear();
    config.providers.models.clear();
    model("m", {"a", "b"});
    engine("a", {answer(status, "busy")});
    engine("b", {answer(200, "ok")});
    auto live = send();
    ASSERT_TRUE(live);
    EXPECT_EQ(live->head.status, 200);
    EXPECT_EQ(asked, (Hosts{"a", "b"}));
    ASSERT_EQ(exchange.attempts.size(), 2u);
    EXPECT_EQ(exchange.attempts[0].status, status);
  }
  EXPECT_EQ(reports["a"].front(), discovery::Outcome::kNeutral) << "429 is no fault of the engine";
  EXPECT_EQ(reports["a"].back(), discovery::Outcome::kFailure);
}

TEST_F(Attempts, OtherStatusesAreAnswersNotFailures) {
  for (const int status : {400, 404, 500}) {
    SCOPED_TRACE(status);
    asked.clear();
    config.providers.models.clear();
    exchange.attempts.clear();
    model("m", {"a", "b"});
    engine("a", {answer(status, "no")});
    auto live = send();
    ASSERT_TRUE(live);
    EXPECT_EQ(live->head.status, status);
    EXPECT_EQ(asked, Hosts{"a"});
  }
}

TEST_F(Attempts, RefusedAndBrokenConnectionsGoToTheNextReplica) {
  model("m", {"dead", "resets", "closes", "c"});
  config.own.retry.attempts_max = 4;
  engine("resets", {"reset"});
  engine("closes", {"close"});
  engine("c", {answer(200, "ok")});
  auto live = send();
  ASSERT_TRUE(live);
  EXPECT_EQ(asked, (Hosts{"resets", "closes", "c"}));
  EXPECT_EQ(exchange.attempts[0].error, Code::kUpstreamConnect);
  EXPECT_EQ(exchange.attempts[1].error, Code::kUpstreamReset);
  EXPECT_EQ(exchange.attempts[2].error, Code::kUpstreamReset);
  EXPECT_EQ(reports["dead"], Outcomes{discovery::Outcome::kUnreachable});
}

TEST_F(Attempts, AfterTheReplicasOfOneModelTheNextCandidateIsAsked) {
  model("first", {"a", "b"});
  model("second", {"c"});
  engine("a", {answer(503, "")});
  engine("b", {answer(503, "")});
  engine("c", {answer(200, "ok")});
  auto live = send();
  ASSERT_TRUE(live);
  EXPECT_EQ(asked, (Hosts{"a", "b", "c"}));
  EXPECT_EQ(live->choice.candidate->public_name, "second");
  ASSERT_NE(exchange.answering_candidate(), nullptr);
  EXPECT_EQ(exchange.answering_candidate()->public_name, "second");
  EXPECT_NE(network.peer(2).received().find(R"("model":"second")"), std::string::npos)
      << "the body is rendered for the model that is asked";
}

TEST_F(Attempts, TheNumberOfAttemptsIsBounded) {
  model("m", {"a", "b", "c", "d"});
  for (const char* host : {"a", "b", "c", "d"}) engine(host, {answer(503, host)});
  auto live = send();
  ASSERT_TRUE(live);
  EXPECT_EQ(asked, (Hosts{"a", "b", "c"}));
  EXPECT_EQ(body_of(*live), "c") << "the last engine's own words";
}

TEST_F(Attempts, AModelsOwnRetryCountWins) {
  model("m", {"a", "b"}).reliability.retry_count = 0;
  engine("a", {answer(503, "a")});
  auto live = send();
  ASSERT_TRUE(live);
  EXPECT_EQ(asked, Hosts{"a"});
}

TEST_F(Attempts, AnEnginesAnswerIsPassedOnRatherThanALaterConnectionFailure) {
  model("m", {"a", "dead"});
  engine("a", {answer(429, "slow down", "Retry-After: 3600\r\n")});
  auto live = send();
  ASSERT_TRUE(live);
  EXPECT_EQ(live->head.status, 429);
  EXPECT_EQ(body_of(*live), "slow down");
  EXPECT_EQ(live->head.headers.get("retry-after"), "3600");
  EXPECT_EQ(exchange.attempts.size(), 3u)
      << "the dead one is dialled again after a pause, before giving up";
  ASSERT_NE(exchange.answering_attempt(), nullptr);
  EXPECT_EQ(exchange.answering_attempt()->endpoint_url, exchange.attempts[0].endpoint_url)
      << "headers and logs name the engine whose words the client reads";
}

TEST_F(Attempts, WithNothingToChooseTheErrorIsTheBalancers) {
  model("m", {});
  const auto live = send();
  ASSERT_FALSE(live);
  EXPECT_EQ(live.error().code, Code::kUnavailable);
  EXPECT_TRUE(exchange.attempts.empty());
}

TEST_F(Attempts, TheOnlyReplicaIsAskedAgainAfterTheWaitItAskedFor) {
  model("m", {"a"});
  engine("a", {answer(503, "", "Retry-After: 4\r\n"), answer(200, "ok")});
  const TimePoint start = loop.now();
  auto live = send();
  ASSERT_TRUE(live);
  EXPECT_EQ(live->head.status, 200);
  EXPECT_GE(loop.now() - start, seconds(4));
}

TEST_F(Attempts, WaitsPastTheDeadlineOrTheLimitAreTheClients) {
  model("m", {"a"});
  engine("a", {answer(429, "busy", "Retry-After: 31\r\n")});
  EXPECT_EQ(send()->head.status, 429);
  EXPECT_EQ(asked.size(), 1u) << "longer than we wait for anyone";
  exchange.attempts.clear();
  exchange.client.deadline = Deadline::after(loop.now(), seconds(3));
  engine("a", {answer(429, "busy", "Retry-After: 4\r\n")});
  EXPECT_EQ(send()->head.status, 429);
  EXPECT_EQ(asked.size(), 2u);
}

TEST_F(Attempts, ADeadOnlyReplicaIsDialledAgainAfterABackOff) {
  model("m", {"a"});
  const TimePoint start = loop.now();
  const auto live = send();
  ASSERT_FALSE(live);
  EXPECT_EQ(live.error().code, Code::kUpstreamConnect);
  EXPECT_EQ(network.dials(), 3u);
  EXPECT_GE(loop.now() - start, milliseconds(300));
}

TEST_F(Attempts, WithoutBudgetThereIsOneAttempt) {
  config.own.retry.budget_ratio = 0;
  config.own.retry.budget_min_per_second = 0;
  model("m", {"a", "b"});
  engine("a", {answer(503, "a")});
  auto live = send();
  ASSERT_TRUE(live);
  EXPECT_EQ(live->head.status, 503);
  EXPECT_EQ(asked, Hosts{"a"});
  EXPECT_EQ(instruments.upstream_retry_budget_exhausted.value(), 1U);
}

TEST_F(Attempts, GoingOnFromAnEngineThatCannotBeReachedNeedsNoBudget) {
  config.own.retry.budget_ratio = 0;
  config.own.retry.budget_min_per_second = 0;
  model("m", {"dead", "b"});
  engine("b", {answer(200, "ok")});
  auto live = send();
  ASSERT_TRUE(live);
  EXPECT_EQ(live->head.status, 200);
  EXPECT_EQ(instruments.upstream_retry_budget_exhausted.value(), 0U);
}

TEST_F(Attempts, ASlowFirstByteEndsTheRequestWithoutDoublingTheWork) {
  model("m", {"a", "b"});
  engine("a", {""});
  engine("b", {answer(200, "ok")});
  const auto live = send();
  ASSERT_FALSE(live);
  EXPECT_EQ(live.error().code, Code::kUpstreamTimeout);
  EXPECT_EQ(asked, Hosts{"a"});
  EXPECT_EQ(in_flight(), 0);
}

TEST_F(Attempts, AnEngineThatSaysNothingNotEvenAboutItsHealthLosesTheRequest) {
  config.own.hung.suspect_after = milliseconds(500);
  config.own.hung.probe_timeout = milliseconds(200);
  model("m", {"a", "b"});
  engine("a", {""});
  engine("b", {answer(200, "ok")});
  const TimePoint start = loop.now();
  auto live = send();
  ASSERT_TRUE(live) << live.error().message;
  EXPECT_EQ(body_of(*live), "ok");
  EXPECT_EQ(asked, (Hosts{"a", "a", "b"})) << "the request, the question, the next replica";
  EXPECT_LT(loop.now() - start, milliseconds(900));
  EXPECT_EQ(exchange.attempts[0].error, Code::kUpstreamTimeout);
  EXPECT_EQ(reports["a"], Outcomes{discovery::Outcome::kFailure});
  EXPECT_EQ(in_flight(), 1);
}

TEST_F(Attempts, AnEngineThatIsAliveIsWaitedForAndAskedEverLessOften) {
  config.own.hung.suspect_after = milliseconds(500);
  model("m", {"a", "b"});
  engine("a", {"", answer(200, "healthy", "Connection: close\r\n")});
  engine("b", {answer(200, "ok")});
  const auto live = send();
  ASSERT_FALSE(live);
  EXPECT_EQ(live.error().code, Code::kUpstreamTimeout);
  EXPECT_EQ(exchange.attempts.size(), 1u);
  EXPECT_LE(asked.size(), 6u) << "one request and questions after 0.5, 1, 2, 4, 8 s";
}

TEST_F(Attempts, TheOnlyEngineIsWaitedForHoweverSilent) {
  config.own.hung.suspect_after = milliseconds(500);
  config.own.hung.probe_timeout = milliseconds(200);
  model("m", {"a"});
  engine("a", {""});
  const TimePoint start = loop.now();
  const auto live = send();
  ASSERT_FALSE(live);
  EXPECT_GE(loop.now() - start, seconds(10)) << "until the first byte is due";
}

TEST_F(Attempts, ASilentStreamIsGivenUpAfterItsTimeHoweverHealthyTheEngineIs) {
  config.own.hung.suspect_after = milliseconds(500);
  config.own.hung.give_up_after = milliseconds(2000);
  exchange.request.stream = true;
  model("m", {"a", "b"});
  engine("a", {"", answer(200, "healthy", "Connection: close\r\n")});
  engine("b", {answer(200, "ok")});
  const TimePoint start = loop.now();
  const auto live = send();
  ASSERT_TRUE(live) << live.error().message;
  EXPECT_EQ(exchange.attempts.size(), 2u);
  EXPECT_NEAR(seconds_of(loop.now() - start), 2, 0.2);
}

TEST_F(Attempts, WhatCreatesSomethingIsNotTakenFromASilentEngine) {
  config.own.hung.suspect_after = milliseconds(500);
  exchange.client.path = "/v1/files";
  exchange.request.endpoint = exchange::Endpoint::kOther;
  model("m", {"a", "b"});
  engine("a", {""});
  engine("b", {answer(200, "ok")});
  EXPECT_FALSE(send());
  EXPECT_EQ(asked, Hosts{"a"});
}

TEST_F(Attempts, ASlowConnectGoesToTheNextReplica) {
  model("m", {"a", "b"});
  network.set_connect_time(seconds(2));
  const auto live = send();
  ASSERT_FALSE(live);
  EXPECT_EQ(exchange.attempts.size(), 2u);
  EXPECT_EQ(exchange.attempts[1].error, Code::kUpstreamTimeout);
}

TEST_F(Attempts, TheClientsDeadlineEndsEverything) {
  model("m", {"a", "b"});
  engine("a", {""});
  exchange.client.deadline = Deadline::after(loop.now(), seconds(2));
  const TimePoint start = loop.now();
  const auto live = send();
  ASSERT_FALSE(live);
  EXPECT_EQ(live.error().code, Code::kUpstreamTimeout);
  EXPECT_LT(loop.now() - start, seconds(3));
}

TEST_F(Attempts, WhatCreatesSomethingIsSentOnce) {
  exchange.client.path = "/v1/batches";
  exchange.request.endpoint = exchange::Endpoint::kOther;
  model("m", {"a", "b"});
  engine("a", {"reset"});
  const auto live = send();
  ASSERT_FALSE(live);
  EXPECT_EQ(live.error().code, Code::kUpstreamReset);
  EXPECT_EQ(asked, Hosts{"a"});
}

TEST_F(Attempts, WhatCreatesSomethingMayGoElsewhereBeforeItWasSent) {
  exchange.client.path = "/v1/batches";
  exchange.request.endpoint = exchange::Endpoint::kOther;
  model("m", {"dead", "b"});
  engine("b", {answer(200, "ok")});
  EXPECT_TRUE(send());
}

TEST_F(Attempts, AStalePooledConnectionCostsNoAttempt) {
  model("m", {"a"});
  engine("a", {answer(200, "one"), answer(200, "two")});
  {
    auto live = send();
    ASSERT_TRUE(live);
    body_of(*live);
  }
  ASSERT_EQ(clients.idle_count(), 1u);
  exchange.attempts.clear();
  prepare();
  // The engine closes while the second request is on its way.
  network.peer(0).finish(milliseconds(1));
  auto live = loop.run_task(task());
  ASSERT_TRUE(live);
  EXPECT_EQ(body_of(*live), "two");
  EXPECT_EQ(exchange.attempts.size(), 1u);
  EXPECT_EQ(reports["a"], (Outcomes{discovery::Outcome::kSuccess, discovery::Outcome::kSuccess}));
}

TEST_F(Attempts, AClientThatLeavesBeforeTheFirstByteClosesTheUpstreamAndBlamesNobody) {
  model("m", {"a", "b"});
  engine("a", {""});
  engine("b", {answer(200, "ok")});
  prepare();
  loop.post([this] { cancel.cancel(); });
  const auto live = loop.run_task(task());
  ASSERT_FALSE(live);
  EXPECT_EQ(live.error().code, Code::kCancelled);
  EXPECT_TRUE(network.peer(0).closed());
  EXPECT_EQ(asked, Hosts{"a"});
  EXPECT_EQ(reports["a"], Outcomes{discovery::Outcome::kNeutral});
  EXPECT_EQ(in_flight(), 0);
}

TEST_F(Attempts, AClientThatLeavesAfterTheFirstByteClosesTheUpstream) {
  model("m", {"a"});
  engine("a", {"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nfirst"});
  auto live = send();
  ASSERT_TRUE(live);
  EXPECT_FALSE(network.peer(0).closed());
  cancel.cancel();
  loop.run_ready();
  EXPECT_TRUE(network.peer(0).closed());
}

TEST_F(Attempts, AClientThatLeavesDuringAPauseEndsIt) {
  model("m", {"a"});
  engine("a", {answer(503, "", "Retry-After: 20\r\n")});
  prepare();
  const TimePoint start = loop.now();
  net::TaskGroup group(loop);
  struct Later {
    static net::Task<void> run(net::Loop* loop, net::Cancellation* cancel) {
      co_await loop->sleep(seconds(1));
      cancel->cancel();
    }
  };
  group.spawn(Later::run(&loop, &cancel));
  const auto live = loop.run_task(task());
  ASSERT_FALSE(live);
  EXPECT_EQ(live.error().code, Code::kCancelled);
  EXPECT_LT(loop.now() - start, seconds(2));
}

// Once the head of a response is there, a break is the relay's to report: nothing is sent twice.
TEST_F(Attempts, NothingIsTriedAgainOnceAnAnswerHasBegun) {
  model("m", {"a", "b"});
  engine("a", {"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nfirst"});
  engine("b", {answer(200, "ok")});
  auto live = send();
  ASSERT_TRUE(live);
  network.peer(0).reset();
  EXPECT_EQ(body_of(*live), "(broken)");
  EXPECT_EQ(asked, Hosts{"a"});
  EXPECT_EQ(exchange.attempts.size(), 1u);
}

}  // namespace
}  // namespace signalbox::upstream
