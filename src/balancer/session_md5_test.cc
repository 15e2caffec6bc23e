#include "balancer/session_md5.h"

#include <gtest/gtest.h>

#include <string>

#include "balancer/test_fleet.h"

namespace signalbox::balancer {
namespace {

// Where 40 sessions go, a digit each.
std::string homes(TestFleet& fleet) {
  const auto candidates = fleet.candidates({"m"});
  std::string digits;
  for (int i = 0; i < 40; ++i) {
    const std::string session = "user-" + std::to_string(i);
    Context context = fleet.context();
    context.session_text = session;
    digits += host_of(*fleet.balancer.pick(candidates, context, {})).back();
  }
  return digits;
}

// Made with the ring library of vLLM Production Stack's router (uhashring 2.4, its defaults): nodes http://h0:8000 to
// http://h3:8000, keys user-0 to user-39; then with http://h1:8000 removed.
constexpr const char* kFour = "1313103213031131100333232220003021233220";
constexpr const char* kWithoutSecond = "0333003223033032300333232220003023233220";

TEST(SessionMd5, SessionsGoWhereTheRingItReplacesSendsThem) {
  TestFleet fleet(config::BalancerPolicy::kSessionMd5);
  fleet.add("m", {{"h0", 1}, {"h1", 1}, {"h2", 1}, {"h3", 1}});
  EXPECT_EQ(homes(fleet), kFour);
}

TEST(SessionMd5, AReplicaThatCannotBeUsedIsPassedOverAsIfItWereNotOnTheRing) {
  TestFleet fleet(config::BalancerPolicy::kSessionMd5);
  fleet.add("m", {{"h0", 1}, {"h1", 1}, {"h2", 1}, {"h3", 1}});
  fleet.endpoint("h1").set_draining(true);
  EXPECT_EQ(homes(fleet), kWithoutSecond);
  fleet.endpoint("h1").set_draining(false);
  EXPECT_EQ(homes(fleet), kFour);
}

TEST(SessionMd5, ARingFollowsItsModelsReplicas) {
  TestFleet fleet(config::BalancerPolicy::kSessionMd5);
  fleet.add("m", {{"h0", 1}, {"h2", 1}, {"h3", 1}});
  fleet.add("other", {{"h1", 1}});
  EXPECT_EQ(homes(fleet), kWithoutSecond);
  fleet.config().providers.models.clear();
  fleet.add("m", {{"h0", 1}, {"h1", 1}, {"h2", 1}, {"h3", 1}});
  EXPECT_EQ(homes(fleet), kFour);
}

TEST(SessionMd5, RequestsWithoutASessionGoByLoad) {
  TestFleet fleet(config::BalancerPolicy::kSessionMd5);
  fleet.add("m", {{"h0", 1}, {"h1", 1}});
  const auto candidates = fleet.candidates({"m"});
  const auto first = *fleet.balancer.pick(candidates, fleet.context(), {});
  const auto second = *fleet.balancer.pick(candidates, fleet.context(), {});
  EXPECT_NE(host_of(first), host_of(second));
}

}  // namespace
}  // namespace signalbox::balancer
