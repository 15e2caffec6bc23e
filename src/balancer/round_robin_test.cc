#include "balancer/round_robin.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <map>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include "balancer/rotation.h"
#include "balancer/test_fleet.h"

namespace signalbox::balancer {
namespace {

constexpr auto kPolicy = config::BalancerPolicy::kRoundRobin;

std::string next_host(TestFleet& fleet, const std::vector<exchange::Candidate>& candidates) {
  auto pick = fleet.balancer.pick(candidates, fleet.context(), {});
  return pick ? host_of(*pick) : "none";
}

TEST(RoundRobin, EqualReplicasTakeTurnsInOrder) {
  TestFleet fleet(kPolicy);
  fleet.add("m", {{"a", 1}, {"b", 1}, {"c", 1}});
  const auto candidates = fleet.candidates({"m"});
  std::string order;
  for (int i = 0; i < 7; ++i) order += next_host(fleet, candidates);
  EXPECT_EQ(order, "abcabca");
}

TEST(RoundRobin, WeightsAreSpreadEvenlyNotInBlocks) {
  TestFleet fleet(kPolicy);
  fleet.add("m", {{"a", 5}, {"b", 1}, {"c", 1}});
  const auto candidates = fleet.candidates({"m"});
  std::string order;
  for (int i = 0; i < 14; ++i) order += next_host(fleet, candidates);
  EXPECT_EQ(order, "aaabcaaaaabcaa");
}

// Every window of `sum of weights` picks from the start holds exactly the weight of each replica.
RC_GTEST_PROP(RoundRobinProperty, EachCycleHoldsExactlyTheWeights, ()) {
  const auto weights =
      *rc::gen::nonEmpty(rc::gen::container<std::vector<int>>(rc::gen::inRange(1, 20)));
  TestFleet fleet(kPolicy);
  TestFleet::Hosts hosts;
  for (std::size_t i = 0; i < weights.size(); ++i)
    hosts.emplace_back("h" + std::to_string(i), weights[i]);
  fleet.add("m", hosts);
  const auto candidates = fleet.candidates({"m"});
  const int cycle = std::accumulate(weights.begin(), weights.end(), 0);
  for (int round = 0; round < 3; ++round) {
    std::map<std::string, int> counts;
    for (int i = 0; i < cycle; ++i) ++counts[next_host(fleet, candidates)];
    for (std::size_t i = 0; i < weights.size(); ++i)
      RC_ASSERT(counts["h" + std::to_string(i)] == weights[i]);
  }
}

TEST(RoundRobin, AReturningReplicaGetsItsShareAndNoBurst) {
  TestFleet fleet(kPolicy);
  fleet.add("m", {{"a", 1}, {"b", 1}, {"c", 1}});
  const auto candidates = fleet.candidates({"m"});
  fleet.endpoint("b").set_draining(true);
  for (int i = 0; i < 1000; ++i) EXPECT_NE(next_host(fleet, candidates), "b");
  fleet.endpoint("b").set_draining(false);
  std::map<std::string, int> counts;
  for (int i = 0; i < 30; ++i) ++counts[next_host(fleet, candidates)];
  EXPECT_NEAR(counts["a"], 10, 1);
  EXPECT_NEAR(counts["b"], 10, 1);
  EXPECT_NEAR(counts["c"], 10, 1);
}

// Replicas that join a running rotation, whatever the weights: each gets its share of the next cycles, give or take one.
RC_GTEST_PROP(RoundRobinProperty, ANewcomerGetsItsShareWhateverTheWeights, ()) {
  const auto weights = *rc::gen::container<std::vector<int>>(3, rc::gen::inRange(1, 9));
  const int before = *rc::gen::inRange(0, 200);
  TestFleet fleet(kPolicy);
  fleet.add("m", {{"h0", weights[0]}, {"h1", weights[1]}, {"h2", weights[2]}});
  const auto candidates = fleet.candidates({"m"});
  fleet.endpoint("h2").set_draining(true);
  for (int i = 0; i < before; ++i) next_host(fleet, candidates);
  fleet.endpoint("h2").set_draining(false);
  std::map<std::string, int> counts;
  const int cycle = weights[0] + weights[1] + weights[2];
  for (int i = 0; i < 5 * cycle; ++i) ++counts[next_host(fleet, candidates)];
  for (std::size_t i = 0; i < weights.size(); ++i) {
    RC_ASSERT(std::abs(counts["h" + std::to_string(i)] - 5 * weights[i]) <= 2);
  }
}

TEST(RoundRobin, AReloadDoesNotStartTheRoundAgain) {
  TestFleet fleet(kPolicy);
  fleet.add("m", {{"a", 1}, {"b", 1}});
  auto candidates = fleet.candidates({"m"});
  EXPECT_EQ(next_host(fleet, candidates), "a");
  fleet.publish();
  EXPECT_EQ(next_host(fleet, candidates), "b");
}

TEST(RoundRobin, ModelsThatShareEndpointsKeepSeparateRounds) {
  TestFleet fleet(kPolicy);
  fleet.add("m", {{"a", 1}, {"b", 1}}).add("n", {{"a", 1}, {"b", 1}});
  const auto m = fleet.candidates({"m"});
  const auto n = fleet.candidates({"n"});
  std::string order;
  for (int i = 0; i < 2; ++i) {
    order += next_host(fleet, m);
    order += next_host(fleet, n);
  }
  EXPECT_EQ(order, "aabb");
}

// All cores share one rotation, and each turn is granted once.
TEST(RoundRobin, SeveralCoresTogetherKeepTheProportions) {
  TestFleet fleet(kPolicy);
  fleet.add("m", {{"a", 3}, {"b", 1}});
  const auto candidates = fleet.candidates({"m"});
  constexpr int kCores = 4;
  constexpr int kPicks = 1000;
  std::array<std::array<int, 2>, kCores> counts{};
  {
    std::vector<std::jthread> cores;
    for (int core = 0; core < kCores; ++core) {
      cores.emplace_back([&, core] {
        Balancer balancer;
        for (int i = 0; i < kPicks; ++i) {
          const auto pick = balancer.pick(candidates, fleet.context(), {});
          ++counts[static_cast<std::size_t>(core)][pick && host_of(*pick) == "a" ? 0 : 1];
        }
      });
    }
  }
  int a = 0;
  for (const auto& count : counts) a += count[0];
  EXPECT_EQ(a, kCores * kPicks * 3 / 4);
  EXPECT_EQ(fleet.endpoint("a").in_flight(), 0);
}

}  // namespace
}  // namespace signalbox::balancer
