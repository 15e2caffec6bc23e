#include "balancer/power_of_two.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "balancer/test_fleet.h"

namespace signalbox::balancer {
namespace {

constexpr auto kPolicy = config::BalancerPolicy::kPowerOfTwo;

TEST(PowerOfTwo, TheMostLoadedOfManyIsNeverTaken) {
  TestFleet fleet(kPolicy);
  fleet.add("m", {{"a", 1}, {"b", 1}, {"c", 1}});
  const auto candidates = fleet.candidates({"m"});
  const auto& busy = fleet.set->find("m")->replicas.front().endpoint;
  std::vector<discovery::InFlight> load;
  for (int i = 0; i < 5; ++i) load.emplace_back(busy, discovery::Work{}, false);
  for (int i = 0; i < 200; ++i)
    EXPECT_NE(host_of(*fleet.balancer.pick(candidates, fleet.context(), {})), "a");
}

TEST(PowerOfTwo, EqualReplicasAreDrawnEqually) {
  TestFleet fleet(kPolicy);
  fleet.add("m", {{"a", 1}, {"b", 1}, {"c", 1}, {"d", 1}});
  const auto candidates = fleet.candidates({"m"});
  std::map<std::string, int> counts;
  for (int i = 0; i < 4000; ++i)
    ++counts[host_of(*fleet.balancer.pick(candidates, fleet.context(), {}))];
  for (const auto& [host, count] : counts) EXPECT_NEAR(count, 1000, 140) << host;
}

// Classical result: after n requests on n replicas the fullest holds about log log n of them, not log n.
RC_GTEST_PROP(PowerOfTwoProperty, NoReplicaGrowsFarAboveTheMean, ()) {
  const int replicas = *rc::gen::inRange(1, 30);
  const int rounds = *rc::gen::inRange(1, 6);
  TestFleet fleet(kPolicy);
  TestFleet::Hosts hosts;
  for (int i = 0; i < replicas; ++i) hosts.emplace_back("h" + std::to_string(i), 1);
  fleet.add("m", hosts);
  const auto candidates = fleet.candidates({"m"});
  std::vector<Pick> running;
  for (int i = 0; i < replicas * rounds; ++i)
    running.push_back(*fleet.balancer.pick(candidates, fleet.context(), {}));
  for (const auto& replica : fleet.set->find("m")->replicas)
    RC_ASSERT(replica.endpoint->in_flight() <= rounds + 5);
}

}  // namespace
}  // namespace signalbox::balancer
