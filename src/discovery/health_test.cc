#include "discovery/health.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "net/testing/manual_loop.h"

namespace signalbox::discovery {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(CheckCounter, OneGoodCheckMakesANewEndpointHealthyAndBadOnesNeedToRepeat) {
  CheckCounter counter(3, 2);
  EXPECT_EQ(counter.observe(false), std::nullopt);
  EXPECT_EQ(counter.observe(true), Health::kHealthy);
  EXPECT_EQ(counter.observe(false), std::nullopt);
  EXPECT_EQ(counter.observe(false), std::nullopt);
  EXPECT_EQ(counter.observe(true), std::nullopt) << "the row of bad checks is broken";
  EXPECT_EQ(counter.observe(false), std::nullopt);
  EXPECT_EQ(counter.observe(false), std::nullopt);
  EXPECT_EQ(counter.observe(false), Health::kUnhealthy);
  EXPECT_EQ(counter.observe(true), std::nullopt) << "two good ones are asked for";
  EXPECT_EQ(counter.observe(true), Health::kHealthy);
}

// Engines that answer as the test says, on a loop with virtual time.
class HealthCheck : public ::testing::Test {
 protected:
  struct Engine {
    int status = 200;  // 0: refuses connections, -1: never answers
    std::string models = R"({"data":[]})";
    int checks = 0;
    int model_lists = 0;
    bool sleeping = false;
    std::string last_path;
    std::string last_body;
  };

  HealthCheck() {
    config.own.health.interval = milliseconds(1000);
    config.own.health.timeout = milliseconds(500);
    config.own.health.unhealthy_after = 2;
    config.own.health.models_interval = seconds(6);
  }
  ~HealthCheck() override { loop.run_task(checker.stop()); }

  void serve(const std::vector<std::string>& hosts) {
    config::Model model;
    model.name = "m";
    for (const auto& host : hosts) {
      config::BackendRef backend;
      backend.host = host;
      backend.base_path = "/base";
      model.backends.push_back(backend);
    }
    config.providers.models = {model};
    publish();
  }
  void publish() {
    checker.apply(*table.publish(config));
    loop.run_ready();
  }

  net::Task<Result<ProbeAnswer>> probe(ProbeTarget target, bool want_body,
                                       net::Cancellation* cancel) {
    Engine& engine = engines[target.endpoint->address().host];
    ++(want_body ? engine.model_lists : engine.checks);
    engine.last_path = target.path;
    if (!want_body) engine.last_body = target.body;
    if (target.path.ends_with("/is_sleeping")) {
      co_return ProbeAnswer{200, engine.sleeping ? R"({"is_sleeping":true})" : "{}"};
    }
    if (engine.status == 0) co_return fail(Code::kUpstreamConnect, "refused");
    if (engine.status < 0) {
      const net::OneShot<bool> gone(loop);
      const net::Cancellation::Registration registration(*cancel, [gone] { gone.set(true); });
      co_await gone.wait(target.deadline);
      co_return fail(Code::kUpstreamTimeout, "silent");
    }
    co_return ProbeAnswer{engine.status, want_body ? engine.models : std::string()};
  }

  Health health(const std::string& host) {
    for (const auto& entry : table.current()->endpoints()) {
      if (entry.backend.host == host) return entry.endpoint->health();
    }
    return Health::kUnknown;
  }

  net_testing::ManualLoop loop;
  config::Config config;
  EndpointTable table;
  std::map<std::string, Engine> engines;
  HealthChecker checker{loop, table,
                        [this](ProbeTarget target, bool want_body, net::Cancellation* cancel) {
                          return probe(std::move(target), want_body, cancel);
                        },
                        7};
};

TEST_F(HealthCheck, AnEndpointIsAskedAtOnceAndThenAtItsInterval) {
  serve({"a"});
  EXPECT_EQ(health("a"), Health::kHealthy);
  EXPECT_EQ(engines["a"].last_path, "/base/v1/models");
  loop.advance(seconds(10));
  EXPECT_GE(engines["a"].checks, 10);
  EXPECT_LE(engines["a"].checks, 12) << "the interval is spread by a tenth";
  EXPECT_EQ(engines["a"].last_path, "/base/health");
}

TEST_F(HealthCheck, AnEndpointThatFailsGoesDownAfterTheSetNumberAndComesBack) {
  serve({"a", "b"});
  engines["a"].status = 503;
  engines["b"].status = 0;
  loop.advance(milliseconds(1200));
  EXPECT_EQ(health("a"), Health::kHealthy) << "one failure is none";
  loop.advance(milliseconds(1200));
  EXPECT_EQ(health("a"), Health::kUnhealthy);
  EXPECT_EQ(health("b"), Health::kUnhealthy);
  engines["a"].status = 200;
  loop.advance(milliseconds(1200));
  EXPECT_EQ(health("a"), Health::kHealthy);
  EXPECT_EQ(health("b"), Health::kUnhealthy);
}

TEST_F(HealthCheck, ASilentEndpointGoesDownToo) {
  engines["a"].status = -1;
  serve({"a"});
  loop.advance(seconds(4));
  EXPECT_EQ(health("a"), Health::kUnhealthy);
}

TEST_F(HealthCheck, AnEngineWithoutTheHealthPathIsAlive) {
  engines["a"].status = 404;
  serve({"a"});
  EXPECT_EQ(health("a"), Health::kHealthy);
}

TEST_F(HealthCheck, AdaptersOfAHealthyEngineAreLearnt) {
  engines["a"].models = R"({"data":[{"id":"base"},{"id":"math-expert","parent":"base"}]})";
  serve({"a"});
  const auto set = table.current();
  ASSERT_NE(set->endpoints()[0].served, nullptr);
  EXPECT_TRUE(set->endpoints()[0].served->has("math-expert"));
  // An adapter loaded later is seen as well.
  engines["a"].models = R"({"data":[{"id":"base"},{"id":"law-expert","parent":"base"}]})";
  loop.advance(seconds(8));
  EXPECT_TRUE(table.current()->endpoints()[0].served->has("law-expert"));
  EXPECT_FALSE(table.current()->endpoints()[0].served->has("math-expert"));
}

TEST_F(HealthCheck, ASleepingEngineIsNoticedAndSoIsItsWaking) {
  engines["a"].sleeping = true;
  serve({"a"});
  const auto endpoint = table.current()->endpoints()[0].endpoint;
  EXPECT_TRUE(endpoint->sleeping());
  EXPECT_EQ(endpoint->health(), Health::kHealthy);
  engines["a"].sleeping = false;
  checker.ask_soon(*endpoint);
  loop.run_ready();
  EXPECT_FALSE(endpoint->sleeping());
  EXPECT_LT(endpoint->warm_share(loop.now(), seconds(5)), 0.2) << "its caches are cold";
}

TEST_F(HealthCheck, AnEngineThatComesBackStartsSlowlyAndIsAskedForItsModelsAtOnce) {
  serve({"a"});
  const auto endpoint = table.current()->endpoints()[0].endpoint;
  EXPECT_EQ(endpoint->warm_share(loop.now(), seconds(5)), 1) << "the first engines start at once";
  engines["a"].status = 0;
  loop.advance(seconds(4));
  ASSERT_EQ(health("a"), Health::kUnhealthy);
  engines["a"].status = 200;
  engines["a"].models = R"({"data":[{"id":"other"}]})";
  loop.advance(milliseconds(1300));
  EXPECT_LT(endpoint->warm_share(loop.now(), seconds(5)), 0.4);
  EXPECT_TRUE(table.current()->endpoints()[0].served->has("other"));
  loop.advance(seconds(5));
  EXPECT_EQ(endpoint->warm_share(loop.now(), seconds(5)), 1);
}

TEST_F(HealthCheck, ARealRequestIsSentWhereTheBackendAsksForOne) {
  serve({"a"});
  config.providers.models[0].backends[0].health_request = "embeddings";
  engines["a"].status = 400;
  publish();
  loop.advance(seconds(3));
  EXPECT_EQ(engines["a"].last_path, "/base/v1/embeddings");
  EXPECT_NE(engines["a"].last_body.find(R"("model":"m")"), std::string::npos);
  EXPECT_EQ(health("a"), Health::kUnhealthy) << "only 200 is healthy then";
}

TEST_F(HealthCheck, AReloadStartsAndEndsChecks) {
  serve({"a", "b"});
  serve({"b", "c"});
  EXPECT_EQ(checker.watched(), 2u);
  const int checks_of_a = engines["a"].checks;
  loop.advance(seconds(5));
  EXPECT_EQ(engines["a"].checks, checks_of_a);
  EXPECT_GE(engines["c"].checks, 4);
}

TEST_F(HealthCheck, AReloadThatShortensTheIntervalTakesEffectAtOnce) {
  config.own.health.interval = std::chrono::hours(1);
  serve({"a"});
  config.own.health.interval = milliseconds(1000);
  serve({"a"});
  loop.advance(seconds(5));
  EXPECT_GE(engines["a"].checks, 5);
}

TEST_F(HealthCheck, HostedProvidersAreNotProbed) {
  serve({"a"});
  config.providers.models[0].backends[0].provider = "openai";
  publish();
  EXPECT_EQ(checker.watched(), 0u);
  EXPECT_EQ(health("a"), Health::kUnknown) << "and nobody's old verdict stays";
}

TEST_F(HealthCheck, StoppingEndsAQuestionUnderWay) {
  engines["a"].status = -1;
  config.own.health.timeout = std::chrono::hours(1);
  serve({"a"});
  const TimePoint start = loop.now();
  loop.run_task(checker.stop());
  EXPECT_EQ(loop.now(), start);
}

}  // namespace
}  // namespace signalbox::discovery
