#include "balancer/least_load.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "balancer/test_fleet.h"

namespace signalbox::balancer {
namespace {

constexpr auto kPolicy = config::BalancerPolicy::kLeastLoad;

TEST(LeastLoad, TheReplicaWithFewestRequestsForItsWeightIsTaken) {
  TestFleet fleet(kPolicy);
  fleet.add("m", {{"a", 1}, {"b", 4}});
  const auto candidates = fleet.candidates({"m"});
  std::vector<Pick> running;
  std::map<std::string, int> counts;
  for (int i = 0; i < 20; ++i) {
    running.push_back(*fleet.balancer.pick(candidates, fleet.context(), {}));
    ++counts[host_of(running.back())];
  }
  EXPECT_EQ(counts["a"], 4);
  EXPECT_EQ(counts["b"], 16);
}

TEST(LeastLoad, AnIdleFleetIsUsedInTurn) {
  TestFleet fleet(kPolicy);
  fleet.add("m", {{"a", 1}, {"b", 1}, {"c", 1}});
  const auto candidates = fleet.candidates({"m"});
  std::string order;
  for (int i = 0; i < 6; ++i)
    order += host_of(*fleet.balancer.pick(candidates, fleet.context(), {}));
  EXPECT_EQ(order, "abcabc");
}

// Whatever starts and ends, a pick never goes to a replica when another has less load per weight.
RC_GTEST_PROP(LeastLoadProperty, NoReplicaIsPassedOverForABusierOne, ()) {
  const auto weights =
      *rc::gen::nonEmpty(rc::gen::container<std::vector<int>>(rc::gen::inRange(1, 6)));
  TestFleet fleet(kPolicy);
  TestFleet::Hosts hosts;
  for (std::size_t i = 0; i < weights.size(); ++i)
    hosts.emplace_back("h" + std::to_string(i), weights[i]);
  fleet.add("m", hosts);
  const auto candidates = fleet.candidates({"m"});
  std::vector<Pick> running;
  const auto steps = *rc::gen::container<std::vector<int>>(rc::gen::inRange(-3, 8));
  for (const int step : steps) {
    if (step < 0 && !running.empty()) {
      running.erase(running.begin() + (static_cast<std::ptrdiff_t>(running.size()) * -step / 4));
      continue;
    }
    double lowest = 1e9;
    for (const auto& entry : fleet.set->endpoints()) {
      lowest = std::min(
          lowest, static_cast<double>(entry.endpoint->in_flight() + 1) / entry.backend.weight);
    }
    running.push_back(*fleet.balancer.pick(candidates, fleet.context(), {}));
    const auto& chosen = *running.back().replica;
    RC_ASSERT(static_cast<double>(chosen.endpoint->in_flight()) / chosen.weight() == lowest);
  }
  running.clear();
  for (const auto& entry : fleet.set->endpoints()) RC_ASSERT(entry.endpoint->in_flight() == 0);
}

}  // namespace
}  // namespace signalbox::balancer
