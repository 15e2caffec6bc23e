#include "balancer/balancer.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <string>
#include <vector>

#include "balancer/test_fleet.h"

namespace signalbox::balancer {
namespace {

constexpr auto kPolicy = config::BalancerPolicy::kRoundRobin;

TEST(Balancer, TheFirstCandidateWithAUsableReplicaIsServed) {
  TestFleet fleet(kPolicy);
  fleet.add("first", {{"a", 1}}).add("second", {{"b", 1}});
  const auto candidates = fleet.candidates({"first", "second"});
  EXPECT_EQ(host_of(*fleet.balancer.pick(candidates, fleet.context(), {})), "a");
  fleet.endpoint("a").set_health(discovery::Health::kUnhealthy);
  const auto fallback = fleet.balancer.pick(candidates, fleet.context(), {});
  EXPECT_EQ(host_of(*fallback), "b");
  EXPECT_EQ(fallback->candidate, &candidates[1]);
  EXPECT_FALSE(fallback->panic);
}

TEST(Balancer, TriedEndpointsAreLeftOutAndThenNothingIsLeft) {
  TestFleet fleet(kPolicy);
  fleet.add("m", {{"a", 1}, {"b", 1}});
  const auto candidates = fleet.candidates({"m"});
  std::vector<const discovery::Endpoint*> excluded = {&fleet.endpoint("a")};
  EXPECT_EQ(host_of(*fleet.balancer.pick(candidates, fleet.context(), excluded)), "b");
  excluded.push_back(&fleet.endpoint("b"));
  const auto none = fleet.balancer.pick(candidates, fleet.context(), excluded);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, Code::kUnavailable);
  EXPECT_EQ(none.error().message, "no usable replica of 2, 2 excluded");
}

TEST(Balancer, AModelWithoutBackendsSaysSo) {
  TestFleet fleet(kPolicy);
  fleet.add("m", {});
  const auto none = fleet.balancer.pick(fleet.candidates({"m"}), fleet.context(), {});
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().message, "no backend serves the requested model");
}

TEST(Balancer, WhenAllAreSuspectTheyAreUsedAllTheSame) {
  TestFleet fleet(kPolicy);
  fleet.add("m", {{"a", 1}, {"b", 1}});
  for (const char* host : {"a", "b"})
    fleet.endpoint(host).set_health(discovery::Health::kUnhealthy);
  const auto candidates = fleet.candidates({"m"});
  const auto pick = fleet.balancer.pick(candidates, fleet.context(), {});
  ASSERT_TRUE(pick);
  EXPECT_TRUE(pick->panic);
  const std::vector<const discovery::Endpoint*> excluded = {pick->replica->endpoint.get()};
  EXPECT_NE(host_of(*fleet.balancer.pick(candidates, fleet.context(), excluded)), host_of(*pick));
}

TEST(Balancer, DrainingAndWeightlessReplicasAreNotUsedEvenInPanic) {
  TestFleet fleet(kPolicy);
  fleet.add("m", {{"a", 1}, {"b", 0}});
  fleet.endpoint("a").set_draining(true);
  const auto none = fleet.balancer.pick(fleet.candidates({"m"}), fleet.context(), {});
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().message, "no usable replica of 2, 1 draining, 1 no_weight");
}

TEST(Balancer, AnEjectedReplicaReturnsByOneTrialAtATime) {
  TestFleet fleet(kPolicy);
  fleet.add("m", {{"a", 1}, {"b", 1}});
  const auto candidates = fleet.candidates({"m"});
  fleet.eject("a");
  for (int i = 0; i < 10; ++i)
    EXPECT_EQ(host_of(*fleet.balancer.pick(candidates, fleet.context(), {})), "b");
  fleet.now += std::chrono::seconds(5);
  std::vector<Pick> running;
  int trials = 0;
  for (int i = 0; i < 10; ++i) {
    running.push_back(*fleet.balancer.pick(candidates, fleet.context(), {}));
    trials += running.back().trial ? 1 : 0;
  }
  EXPECT_EQ(trials, 1);
  EXPECT_EQ(fleet.endpoint("a").in_flight(), 1);
  // The trial ends without a verdict (its client left): another may try.
  running.clear();
  for (int i = 0; i < 4; ++i)
    running.push_back(*fleet.balancer.pick(candidates, fleet.context(), {}));
  EXPECT_EQ(fleet.endpoint("a").in_flight(), 1);
}

TEST(Balancer, ReplicasThatHoldTheAdapterComeFirst) {
  TestFleet fleet(kPolicy);
  fleet.add("base", {{"a", 1}, {"b", 1}, {"c", 1}});
  auto candidates = fleet.candidates({"base"});
  candidates[0].adapter = candidates[0].upstream_name = "math-expert";
  const auto pick_host = [&] {
    return host_of(*fleet.balancer.pick(candidates, fleet.context(), {}));
  };
  const auto learn = [&](const std::string& host, std::vector<discovery::ServedModel> models) {
    fleet.table.learn(fleet.endpoint(host), {std::move(models)});
    fleet.set = fleet.table.current();
  };
  learn("a", {{"base", ""}});
  for (int i = 0; i < 6; ++i)
    EXPECT_NE(pick_host(), "a") << "a is known not to hold it, the others may";
  learn("b", {{"base", ""}, {"math-expert", "base"}});
  for (int i = 0; i < 6; ++i) EXPECT_EQ(pick_host(), "b");
  fleet.endpoint("b").set_draining(true);
  for (int i = 0; i < 6; ++i) EXPECT_EQ(pick_host(), "c");
}

TEST(Balancer, TheModelsOwnPolicyWinsOverTheGeneralOne) {
  TestFleet fleet(kPolicy);
  fleet.add("m", {{"a", 1}, {"b", 1}});
  fleet.config().providers.models[0].reliability.lb_policy = "least_request";
  fleet.publish();
  EXPECT_EQ(fleet.balancer.pick(fleet.candidates({"m"}), fleet.context(), {})->policy,
            "least_load");
}

// Under any mix of health, ejection, draining and exclusion: what is picked is allowed, what is allowed is found, and
// panic is declared only when nothing was usable.
RC_GTEST_PROP(BalancerProperty, APickObeysTheFilters, ()) {
  const int count = *rc::gen::inRange(1, 7);
  TestFleet fleet(*rc::gen::element(config::BalancerPolicy::kRoundRobin,
                                    config::BalancerPolicy::kLeastLoad,
                                    config::BalancerPolicy::kSession));
  TestFleet::Hosts hosts;
  for (int i = 0; i < count; ++i)
    hosts.emplace_back("h" + std::to_string(i), *rc::gen::inRange(0, 3));
  fleet.add("m", hosts);
  std::vector<const discovery::Endpoint*> excluded;
  for (int i = 0; i < count; ++i) {
    const std::string host = "h" + std::to_string(i);
    const int state = *rc::gen::inRange(0, 6);
    if (state == 1) fleet.endpoint(host).set_health(discovery::Health::kUnhealthy);
    if (state == 2) fleet.endpoint(host).set_draining(true);
    if (state == 3) fleet.eject(host);
    if (state == 4) excluded.push_back(&fleet.endpoint(host));
  }
  bool usable = false;
  bool suspect = false;
  for (const auto& replica : fleet.set->find("m")->replicas) {
    const Verdict verdict = judge(replica, fleet.now, excluded);
    usable |= verdict == Verdict::kUsable;
    suspect |= verdict == Verdict::kUnhealthy || verdict == Verdict::kEjected;
  }
  Context context = fleet.context();
  if (*rc::gen::arbitrary<bool>()) context.session = *rc::gen::arbitrary<std::uint64_t>();
  {
    const auto pick = fleet.balancer.pick(fleet.candidates({"m"}), context, excluded);
    RC_ASSERT(pick.has_value() == (usable || suspect));
    if (pick) {
      RC_ASSERT(pick->panic == !usable);
      const Verdict verdict = judge(*pick->replica, fleet.now, excluded);
      const bool asked_for = verdict == Verdict::kUnhealthy || verdict == Verdict::kEjected;
      RC_ASSERT((usable ? verdict == Verdict::kUsable : asked_for));
      RC_ASSERT(pick->replica->endpoint->in_flight() == 1);
    }
  }
  for (const auto& entry : fleet.set->endpoints()) RC_ASSERT(entry.endpoint->in_flight() == 0);
}

}  // namespace
}  // namespace signalbox::balancer
