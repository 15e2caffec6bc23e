#include "balancer/auto_policy.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "balancer/test_fleet.h"

namespace signalbox::balancer {
namespace {

// Four replicas that compute 10,000 tokens a second (the prior), and prompts of so many tokens.
class AutoPolicy : public ::testing::Test {
 protected:
  AutoPolicy() {
    fleet.add("m", {{"a", 1}, {"b", 1}, {"c", 1}, {"d", 1}});
    candidates = fleet.candidates({"m"});
  }

  Pick pick(const std::string& text, int priority = 0) {
    exchange::Exchange exchange;
    exchange.request.messages.push_back({"user", text});
    const Prompt prompt(exchange);
    Context context = fleet.context();
    context.prompt = &prompt;
    context.prefill_tokens = prompt.tokens();
    context.priority = priority;
    return *fleet.balancer.pick(candidates, context, {});
  }
  // A prompt of its own, sent to `host` and answered.
  void queue(const std::string& host, std::int64_t tokens) {
    for (const auto& replica : fleet.set->find("m")->replicas) {
      if (replica.backend.host != host) continue;
      queued.emplace_back(replica.endpoint,
                          discovery::Work{.prefill_tokens = tokens, .sent_at = fleet.now}, false);
    }
  }
  static std::string prompt(int tokens, char letter) {
    std::string text(static_cast<std::size_t>(tokens * index::kBytesPerToken), letter);
    return text;
  }

  TestFleet fleet{config::BalancerPolicy::kAuto};
  std::vector<exchange::Candidate> candidates;
  std::vector<discovery::InFlight> queued;
};

TEST_F(AutoPolicy, APromptGoesWhereItsPrefixIs) {
  const std::string text = prompt(4000, 'x');
  const std::string first = host_of(pick(text));
  for (int i = 0; i < 6; ++i) {
    const Pick next = pick(text + prompt(50 * i, 'y'));
    EXPECT_EQ(host_of(next), first);
    EXPECT_GT(next.cached_tokens, 3400);
    EXPECT_EQ(next.policy, "auto");
  }
}

TEST_F(AutoPolicy, AQueueLongerThanComputingAnewSendsItElsewhere) {
  const std::string text = prompt(4000, 'x');
  const std::string first = host_of(pick(text));
  queue(first, 5000);
  EXPECT_EQ(host_of(pick(text)), first) << "waiting costs less than computing twice";
  queue(first, 20'000);
  EXPECT_NE(host_of(pick(text)), first);
}

TEST_F(AutoPolicy, PromptsThatNobodyHoldsGoWhereLeastIsQueued) {
  for (const auto* host : {"a", "b", "d"}) queue(host, 3000);
  EXPECT_EQ(host_of(pick(prompt(2000, 'x'))), "c");
}

// Its line through the observations lies flatter than the others', so by itself it would look twice as fast for long
// prompts, get more of them and drop more.
TEST_F(AutoPolicy, AnEngineThatDroppedWhatItWasThoughtToHoldDoesNotSeemFast) {
  for (int i = 0; i < 200; ++i) {
    for (const auto& replica : fleet.set->find("m")->replicas) {
      const bool is_short = i % 2 == 0;
      const bool dropped = is_short && i % 4 == 0 && replica.backend.host == "a";
      const std::int64_t tokens = is_short ? 100 : 3000;
      const auto took = std::chrono::milliseconds(10) + tokens * std::chrono::microseconds(40) +
                        std::chrono::milliseconds(dropped ? 150 : 0);
      discovery::EngineLoad& load = replica.endpoint->load();
      load.sent(tokens, true, fleet.now);
      load.first_token(tokens, fleet.now, fleet.now + took);
    }
    fleet.now += std::chrono::seconds(1);
  }
  fleet.now += std::chrono::minutes(1);
  for (int i = 0; i < 8; ++i) {
    EXPECT_NE(host_of(pick(prompt(4000, static_cast<char>('a' + i)))), "a");
  }
}

TEST_F(AutoPolicy, AnUrgentRequestTakesTheQuickestReplicaWhateverItCostsOthers) {
  const std::string text = prompt(4000, 'x');
  const std::string first = host_of(pick(text));
  queue(first, 6000);
  EXPECT_EQ(host_of(pick(text)), first) << "0.6 s of queue, twice 0.4 s of computing saved";
  EXPECT_NE(host_of(pick(text, -1)), first);
}

TEST_F(AutoPolicy, AReplicaInTheRoutersZoneIsPreferredUntilItsQueueCostsMore) {
  auto& balancer = fleet.config().own.balancer;
  balancer.zone = "here";
  balancer.zones = {{"a", "there"}, {"b", "here"}, {"c", "there"}};
  balancer.zone_penalty = std::chrono::milliseconds(50);
  fleet.publish();
  EXPECT_EQ(host_of(pick("hello")), "b");
  queue("b", 2000);
  EXPECT_NE(host_of(pick("hello")), "b");
}

TEST_F(AutoPolicy, AnotherModelOfTheSameEnginesSharesNoBlocks) {
  const std::string text = prompt(4000, 'x');
  pick(text);
  candidates.front().upstream_name = "an-adapter";
  EXPECT_EQ(pick(text).cached_tokens, 0);
}

TEST_F(AutoPolicy, AnEngineThatWasDownHasLostItsCache) {
  const std::string text = prompt(4000, 'x');
  const std::string first = host_of(pick(text));
  fleet.endpoint(first).set_health(discovery::Health::kUnhealthy);
  fleet.endpoint(first).set_health(discovery::Health::kHealthy);
  EXPECT_EQ(pick(text).cached_tokens, 0);
}

}  // namespace
}  // namespace signalbox::balancer
