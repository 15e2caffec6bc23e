#include "balancer/slow_start.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "balancer/balancer.h"
#include "balancer/test_fleet.h"

namespace signalbox::balancer {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class SlowStart : public ::testing::Test {
 protected:
  SlowStart() {
    fleet.config().own.health.slow_start = seconds(10);
    fleet.add("m", {{"old", 1}, {"new", 1}});
    fleet.endpoint("new").begin_slow_start(fleet.now);
  }
  // Of 2,000 picks, how many the new engine gets.
  int share_of_new(std::optional<std::uint64_t> session_base = {}) {
    const auto candidates = fleet.candidates({"m"});
    int count = 0;
    for (std::uint64_t i = 0; i < 2000; ++i) {
      Context context = fleet.context();
      if (session_base) context.session = *session_base + i;
      const auto pick = fleet.balancer.pick(candidates, context, {});
      count += pick && host_of(*pick) == "new" ? 1 : 0;
    }
    return count;
  }
  TestFleet fleet{config::BalancerPolicy::kRoundRobin};
};

TEST_F(SlowStart, TheShareOfANewEngineGrowsWithTime) {
  EXPECT_NEAR(share_of_new(), 200, 90) << "a tenth of the picks finds it there, and it takes them";
  fleet.now += seconds(5);
  const int half_way = share_of_new();
  EXPECT_GT(half_way, 400);
  EXPECT_LT(half_way, 1000);
  fleet.now += seconds(6);
  EXPECT_EQ(share_of_new(), 1000);
}

TEST_F(SlowStart, AFleetThatStartsTogetherSharesFromTheFirstRequestOn) {
  fleet.endpoint("old").begin_slow_start(fleet.now);
  EXPECT_EQ(share_of_new(), 1000);
}

TEST_F(SlowStart, ANewEngineThatIsAloneGetsEverything) {
  fleet.endpoint("old").set_draining(true);
  EXPECT_EQ(share_of_new(), 2000);
}

TEST_F(SlowStart, ASessionMovesOnce) {
  const auto candidates = fleet.candidates({"m"});
  for (std::uint64_t session = 0; session < 50; ++session) {
    Context context = fleet.context();
    context.session = session * 7919;
    bool moved = false;
    for (int second = 0; second <= 10; ++second, context.now += seconds(1)) {
      std::vector<Option> options;
      const auto* group = fleet.set->find("m");
      for (const auto& replica : group->replicas)
        options.push_back({&candidates[0], group, &replica, 0, 0});
      Random random(1);
      leave_to_the_warm(options, context, random);
      EXPECT_GE(options.size(), moved ? 2u : 1u) << "what it may use once it may use on";
      moved = options.size() == 2;
    }
    EXPECT_TRUE(moved);
  }
}

TEST_F(SlowStart, ASleepingEngineIsNotUsedEvenWhenNothingElseIsLeft) {
  fleet.endpoint("old").set_sleeping(true, fleet.now);
  fleet.endpoint("new").set_sleeping(true, fleet.now);
  const auto pick = fleet.balancer.pick(fleet.candidates({"m"}), fleet.context(), {});
  ASSERT_FALSE(pick);
  EXPECT_NE(pick.error().message.find("2 sleeping"), std::string::npos) << pick.error().message;
}

}  // namespace
}  // namespace signalbox::balancer
