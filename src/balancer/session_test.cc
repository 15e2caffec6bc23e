#include "balancer/session.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <map>
#include <numeric>
#include <string>
#include <vector>

#include "balancer/test_fleet.h"
#include "base/hash.h"

namespace signalbox::balancer {
namespace {

constexpr auto kPolicy = config::BalancerPolicy::kSession;

TestFleet::Hosts hosts(int count, int weight = 1) {
  TestFleet::Hosts list;
  for (int i = 0; i < count; ++i) list.emplace_back("h" + std::to_string(i), weight);
  return list;
}

Pick pick_for(TestFleet& fleet, std::uint64_t session) {
  const auto candidates = fleet.candidates({"m"});
  Context context = fleet.context();
  context.session = session;
  return *fleet.balancer.pick(candidates, context, {});
}

std::string home(TestFleet& fleet, std::uint64_t session) {
  return host_of(pick_for(fleet, session));
}

TEST(Session, ASessionReturnsToItsReplica) {
  TestFleet fleet(kPolicy);
  fleet.add("m", hosts(5));
  for (std::uint64_t session = 0; session < 50; ++session) {
    const std::string first = home(fleet, mix64(session));
    for (int i = 0; i < 5; ++i) EXPECT_EQ(home(fleet, mix64(session)), first);
  }
}

TEST(Session, RequestsWithoutASessionGoByLoad) {
  TestFleet fleet(kPolicy);
  fleet.add("m", hosts(3));
  const auto candidates = fleet.candidates({"m"});
  std::string order;
  for (int i = 0; i < 3; ++i)
    order += host_of(*fleet.balancer.pick(candidates, fleet.context(), {}));
  EXPECT_EQ(order, "h0h1h2");
}

TEST(Session, AReplicaThatCannotBeUsedGivesItsSessionsAwayAndTakesThemBack) {
  TestFleet fleet(kPolicy);
  fleet.add("m", hosts(4));
  const std::uint64_t session = hash64("conversation 17");
  const std::string first = home(fleet, session);
  fleet.endpoint(first).set_health(discovery::Health::kUnhealthy);
  const std::string second = home(fleet, session);
  EXPECT_NE(second, first);
  EXPECT_EQ(home(fleet, session), second);
  fleet.endpoint(first).set_health(discovery::Health::kHealthy);
  EXPECT_EQ(home(fleet, session), first);
}

// Two routers that list the same endpoints, in any order, send a session to the same place.
RC_GTEST_PROP(SessionProperty, EveryRouterChoosesAlike, (std::uint64_t session)) {
  auto list = hosts(*rc::gen::inRange(1, 12));
  TestFleet one(kPolicy);
  one.add("m", list);
  std::reverse(list.begin(), list.end());
  TestFleet other(kPolicy);
  other.add("m", list);
  RC_ASSERT(home(one, session) == home(other, session));
}

// When a replica joins, a session stays or moves to the newcomer; when one leaves, only its own sessions move.
RC_GTEST_PROP(SessionProperty, AChangeOfTheFleetMovesOnlyWhatItMust, ()) {
  const int count = *rc::gen::inRange(1, 12);
  const auto sessions =
      *rc::gen::container<std::vector<std::uint64_t>>(rc::gen::arbitrary<std::uint64_t>());
  TestFleet small(kPolicy);
  small.add("m", hosts(count));
  TestFleet large(kPolicy);
  large.add("m", hosts(count + 1));
  const std::string newcomer = "h" + std::to_string(count);
  for (const std::uint64_t session : sessions) {
    const std::string before = home(small, session);
    const std::string after = home(large, session);
    RC_ASSERT(after == before || after == newcomer);
  }
}

TEST(Session, SharesFollowTheWeights) {
  TestFleet fleet(kPolicy);
  fleet.add("m", {{"a", 1}, {"b", 2}, {"c", 5}});
  std::map<std::string, int> counts;
  constexpr int kSessions = 8000;
  for (int i = 0; i < kSessions; ++i)
    ++counts[home(fleet, mix64(static_cast<std::uint64_t>(i) + 1))];
  // Five standard deviations of a binomial share.
  EXPECT_NEAR(counts["a"], 1000, 150);
  EXPECT_NEAR(counts["b"], 2000, 195);
  EXPECT_NEAR(counts["c"], 5000, 217);
}

// Even if all requests belong to one session, no replica holds more than the load factor times its share.
RC_GTEST_PROP(SessionProperty, NoReplicaExceedsItsBound, ()) {
  const auto weights =
      *rc::gen::nonEmpty(rc::gen::container<std::vector<int>>(rc::gen::inRange(1, 5)));
  const double factor = 1.0 + *rc::gen::inRange(0, 100) / 50.0;
  const int requests = *rc::gen::inRange(1, 120);
  const int sessions = *rc::gen::inRange(1, 4);
  TestFleet fleet(kPolicy);
  fleet.config().own.balancer.session_load_factor = factor;
  TestFleet::Hosts list;
  for (std::size_t i = 0; i < weights.size(); ++i)
    list.emplace_back("h" + std::to_string(i), weights[i]);
  fleet.add("m", list);
  const double weight_total = std::accumulate(weights.begin(), weights.end(), 0);
  std::vector<Pick> running;
  for (int i = 0; i < requests; ++i) {
    running.push_back(pick_for(fleet, mix64(static_cast<std::uint64_t>(i % sessions) + 99)));
    const auto& chosen = *running.back().replica;
    const double bound =
        std::max(2.0, std::ceil(factor * (i + 1) * chosen.weight() / weight_total));
    RC_ASSERT(chosen.endpoint->in_flight() <= bound);
  }
}

TEST(Session, AsksThatOverlapByOneStayTogether) {
  TestFleet fleet(kPolicy);
  fleet.add("m", {{"a", 1}, {"b", 1}, {"c", 1}});
  for (std::uint64_t session = 0; session < 20; ++session) {
    const Pick first = pick_for(fleet, mix64(session));
    const Pick second = pick_for(fleet, mix64(session));
    EXPECT_EQ(first.replica, second.replica) << session;
  }
}

TEST(SessionKey, TheHeaderWinsOverTheBodyAndEmptyValuesAreNoSession) {
  config::Balancer settings;
  settings.session_header = "X-Session-Id";
  settings.session_body_field = "user";
  exchange::ClientRequest client;
  client.body = R"({"user":"al\u0069ce","n":1})";
  exchange::Request request;
  request.document = *json::Document::parse(client.body);
  EXPECT_EQ(session_key(client, request, settings), "alice");
  client.headers.add("x-session-id", "s1");
  EXPECT_EQ(session_key(client, request, settings), "s1");
  client.headers.set("x-session-id", "");
  EXPECT_EQ(session_key(client, request, settings), "alice");
  settings.session_body_field = "n";
  EXPECT_EQ(session_key(client, request, settings), std::nullopt);
  settings.session_body_field.clear();
  EXPECT_EQ(session_key(client, request, settings), std::nullopt);
}

TEST(Priority, AWholeNumberInTheHeaderCountsAndNothingElse) {
  const config::Balancer settings;
  exchange::ClientRequest client;
  EXPECT_EQ(priority(client, settings), 0);
  client.headers.set("X-Request-Priority", "-3");
  EXPECT_EQ(priority(client, settings), -3);
  for (const auto* text : {"", "high", "1.5", "99999999999999", "2x"}) {
    client.headers.set("x-request-priority", text);
    EXPECT_EQ(priority(client, settings), 0) << text;
  }
}

}  // namespace
}  // namespace signalbox::balancer
