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
