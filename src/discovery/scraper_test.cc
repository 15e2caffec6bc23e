#include "discovery/scraper.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "net/testing/manual_loop.h"

namespace signalbox::discovery {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Engines that publish what the test says, on a loop with virtual time.
class Scraping : public ::testing::Test {
 protected:
  struct Engine {
    int status = 200;
    std::string page;
    int asked = 0;
    bool silent = false;
  };

  Scraping() { config.own.engine_metrics.interval = milliseconds(1000); }
  ~Scraping() override { loop.run_task(scraper.stop()); }

  void serve(int count, const std::string& provider = "") {
    config::Model model;
    model.name = "m";
    for (int i = 0; i < count; ++i) {
      config::BackendRef backend;
      backend.host = "h" + std::to_string(i);
      backend.provider = provider;
      model.backends.push_back(backend);
    }
    config.providers.models = {model};
    table.publish(config);
    scraper.start();
    loop.run_ready();
  }

  net::Task<Result<ProbeAnswer>> probe(ProbeTarget target, net::Cancellation* cancel) {
    Engine& engine = engines[target.endpoint->address().host];
    ++engine.asked;
    ++running;
    running_most = std::max(running_most, running);
    if (engine.silent) {
      const net::OneShot<bool> gone(loop);
      const net::Cancellation::Registration registration(*cancel, [gone] { gone.set(true); });
      co_await gone.wait(target.deadline);
      --running;
      co_return fail(Code::kUpstreamTimeout, "silent");
    }
    --running;
    co_return ProbeAnswer{engine.status, engine.page};
  }
  EngineLoad::View view(std::size_t i) {
    return table.current()->endpoints()[i].endpoint->load().view(loop.now());
  }

  net_testing::ManualLoop loop;
  config::Config config;
  EndpointTable table;
  std::map<std::string, Engine> engines;
  int running = 0;
  int running_most = 0;
  Scraper scraper{loop, table, [this](ProbeTarget target, bool, net::Cancellation* cancel) {
                    return probe(std::move(target), cancel);
                  }};
};

TEST_F(Scraping, AnEnginesFiguresReachItsEndpointEachRound) {
  engines["h0"].page = "vllm:num_requests_running 8\nvllm:num_requests_waiting 0\n";
  serve(1);
  EXPECT_EQ(engines["h0"].asked, 1);
  EXPECT_GT(view(0).foreign_requests, 0);
  for (int i = 0; i < 10; ++i) loop.advance(seconds(1));
  EXPECT_GE(engines["h0"].asked, 10);
  EXPECT_LE(engines["h0"].asked, 11);
  EXPECT_NEAR(view(0).foreign_requests, 8, 0.1);
}

TEST_F(Scraping, TheSizeOfTheCacheIsTakenOver) {
  engines["h0"].page = "vllm:cache_config_info{block_size=\"16\",num_gpu_blocks=\"64\"} 1\n";
  serve(1);
  auto& cache = table.current()->endpoints()[0].endpoint->cache();
  for (int i = 0; i < 100; ++i) cache.touch(0, 1);
  EXPECT_LE(cache.live_units(), 1024 * 4 / 256);
}

TEST_F(Scraping, EnginesWithoutFiguresAreAskedLessAndLess) {
  engines["h0"].status = 404;
  serve(1);
  for (int i = 0; i < 130; ++i) loop.advance(seconds(1));
  EXPECT_LT(engines["h0"].asked, 12);
  EXPECT_GT(engines["h0"].asked, 5);
}

TEST_F(Scraping, HostedProvidersAreNotAsked) {
  serve(1, "openai");
  loop.advance(seconds(5));
  EXPECT_EQ(engines["h0"].asked, 0);
}

TEST_F(Scraping, NotMoreThanSomeAtATime) {
  for (int i = 0; i < 60; ++i) engines["h" + std::to_string(i)].silent = true;
  serve(60);
  EXPECT_EQ(running_most, static_cast<int>(limits::kScrapesMax));
  for (int i = 0; i < 8; ++i) loop.advance(seconds(1));
  int asked = 0;
  for (const auto& [host, engine] : engines) asked += engine.asked > 0 ? 1 : 0;
  EXPECT_EQ(asked, 60);
}

TEST_F(Scraping, SwitchedOffItAsksNobodyUntilAReloadSwitchesItOn) {
  config.own.engine_metrics.enabled = false;
  serve(1);
  loop.advance(seconds(5));
  EXPECT_EQ(engines["h0"].asked, 0);
  config.own.engine_metrics.enabled = true;
  table.publish(config);
  loop.advance(seconds(2));
  EXPECT_GE(engines["h0"].asked, 1);
}

}  // namespace
}  // namespace signalbox::discovery
