// Policies over virtual engines: what a user of the policy would notice, the same on every machine.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "balancer/testing/virtual_rig.h"

namespace signalbox::balancer {
namespace {

using config::BalancerPolicy;
using testing::Outcome;
using testing::Scenario;

constexpr int kSeeds = 2;

const testing::Trace& trace() {
  static const testing::Trace trace = testing::synthetic_trace(3, 34);
  return trace;
}

Scenario scenario(const std::string& name) {
  const auto all = testing::scenarios();
  return *std::ranges::find(all, name, &Scenario::name);
}

Outcome outcome(const std::string& name, BalancerPolicy policy) {
  return run(scenario(name), policy, kSeeds, trace());
}

class EveryScenario : public ::testing::TestWithParam<const char*> {};

// Worse by no more than the noise of two seeds: a twentieth of the time to first token, a fiftieth of the hits. A policy
// that never leaves a session's engine may hit a little more and wait much longer for it.
TEST_P(EveryScenario, AutoIsNotWorseThanTheBestSinglePolicy) {
  const Outcome combined = outcome(GetParam(), BalancerPolicy::kAuto);
  // A trace comes at its own times whatever the answers, so the answers that end in the measured time are those that came in
  // it, more what had been under way before, less what is after it: a policy that had let more pile up has more. There only
  // the policy that keeps waits as short is compared.
  const bool users_wait = GetParam() != std::string("trace");
  for (const auto policy : {BalancerPolicy::kLeastLoad, BalancerPolicy::kSession,
                            BalancerPolicy::kSessionMd5, BalancerPolicy::kPrefixAware}) {
    const Outcome single = outcome(GetParam(), policy);
    EXPECT_LT(combined.ttft_mean_ms, 1.05 * single.ttft_mean_ms) << policy_name(policy);
    EXPECT_GT(combined.hit_rate, single.hit_rate - 0.02) << policy_name(policy);
    if (users_wait || policy == BalancerPolicy::kPrefixAware) {
      EXPECT_GT(combined.rate, 0.97 * single.rate) << policy_name(policy);
    }
  }
}

TEST_P(EveryScenario, AutoGivesNoEngineMoreThanHalfAboveItsShare) {
  EXPECT_LT(outcome(GetParam(), BalancerPolicy::kAuto).busiest, 1.5);
}

INSTANTIATE_TEST_SUITE_P(Rig, EveryScenario,
                         ::testing::Values("chat@40", "chat@40-nokey", "prefix@40", "trace"),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::erase_if(name, [](char c) { return std::isalnum(c) == 0; });
                           return name;
                         });

TEST(Auto, ConversationsWithoutAKeyDoAsWellAsThoseWithOne) {
  const Outcome with = outcome("chat@40", BalancerPolicy::kAuto);
  const Outcome without = outcome("chat@40-nokey", BalancerPolicy::kAuto);
  EXPECT_NEAR(with.hit_rate, without.hit_rate, 0.01);
}

TEST(Auto, TwoRoutersThatDoNotTalkAgreeOnMostConversations) {
  const Outcome two = outcome("chat@40-2routers", BalancerPolicy::kAuto);
  const Outcome apart = outcome("chat@40-2routers", BalancerPolicy::kPrefixAware);
  EXPECT_GT(two.hit_rate, apart.hit_rate + 0.05);
  EXPECT_LT(two.ttft_mean_ms, 0.8 * apart.ttft_mean_ms);
}

TEST(Auto, AnEngineOfHalfTheSpeedGetsLessAndHurtsLess) {
  Scenario slow = scenario("trace");
  slow.options.slow_engine_factor = 0.5;
  const Outcome combined = run(slow, BalancerPolicy::kAuto, 1, trace());
  const Outcome blind = run(slow, BalancerPolicy::kRoundRobin, 1, trace());
  EXPECT_LT(combined.ttft_mean_ms, 0.5 * blind.ttft_mean_ms);
}

}  // namespace
}  // namespace signalbox::balancer
