#include "discovery/endpoint_table.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace signalbox::discovery {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TimePoint at(Duration since_start) { return TimePoint{} + std::chrono::hours(1) + since_start; }

config::BackendRef backend(const std::string& host, int weight = 1) {
  config::BackendRef ref;
  ref.name = host;
  ref.host = host;
  ref.port = 8000;
  ref.weight = weight;
  return ref;
}

config::Model model(const std::string& name, const std::vector<std::string>& hosts) {
  config::Model result;
  result.name = name;
  for (const auto& host : hosts) result.backends.push_back(backend(host));
  return result;
}

config::Config fleet(std::vector<config::Model> models) {
  config::Config config;
  config.providers.models = std::move(models);
  config.own.health.eject_after_failures = 3;
  config.own.health.ejection_time = milliseconds(1000);
  config.own.health.max_ejection_percent = 50;
  return config;
}

Endpoint& endpoint(const EndpointSet& set, std::size_t index) {
  return *set.endpoints()[index].endpoint;
}

void fail_times(EndpointTable& table, const EndpointSet& set, Endpoint& target, int times,
                TimePoint now) {
  for (int i = 0; i < times; ++i) table.report(set, target, Outcome::kFailure, now);
}

TEST(EndpointTable, AModelsBackendsBecomeItsReplicasInTheOrderOfTheFile) {
  EndpointTable table;
  const auto set = table.publish(fleet({model("a", {"one", "two"}), model("b", {"two"})}));
  ASSERT_NE(set->find("a"), nullptr);
  ASSERT_EQ(set->find("a")->replicas.size(), 2u);
  EXPECT_EQ(set->find("a")->replicas[1].backend.host, "two");
  EXPECT_EQ(set->find("missing"), nullptr);
  // "two" is one endpoint with two models.
  ASSERT_EQ(set->endpoints().size(), 2u);
  EXPECT_EQ(set->find("a")->replicas[1].endpoint, set->find("b")->replicas[0].endpoint);
  EXPECT_EQ(set->endpoints()[1].groups, (std::vector<std::size_t>{0, 1}));
}

TEST(EndpointTable, AReloadKeepsTheStateOfEndpointsThatStay) {
  EndpointTable table;
  const auto before = table.publish(fleet({model("a", {"one", "two"})}));
  const InFlight running(before->endpoints()[0].endpoint, {.prefill_tokens = 100}, false);
  endpoint(*before, 0).set_health(Health::kHealthy);
  const auto after = table.publish(fleet({model("renamed", {"three", "one"})}));
  const Endpoint& kept = *after->find("renamed")->replicas[1].endpoint;
  EXPECT_EQ(&kept, &endpoint(*before, 0));
  EXPECT_EQ(kept.in_flight(), 1);
  EXPECT_EQ(kept.health(), Health::kHealthy);
  EXPECT_GT(after->version(), before->version());
}

TEST(EndpointTable, AReloadKeepsTheRotationUnlessTheWeightChanged) {
  EndpointTable table;
  const auto before = table.publish(fleet({model("a", {"one", "two"})}));
  auto heavier = model("a", {"one", "two"});
  heavier.backends[1].weight = 7;
  const auto after = table.publish(fleet({heavier}));
  EXPECT_EQ(after->find("a")->replicas[0].turns, before->find("a")->replicas[0].turns);
  EXPECT_NE(after->find("a")->replicas[1].turns, before->find("a")->replicas[1].turns);
  EXPECT_EQ(after->find("a")->rotation, before->find("a")->rotation);
}

TEST(EndpointTable, EndpointsThatNobodyUsesAreForgotten) {
  EndpointTable table;
  std::weak_ptr<Endpoint> gone =
      table.publish(fleet({model("a", {"one"})}))->endpoints()[0].endpoint;
  for (int i = 0; i < 3; ++i) table.publish(fleet({model("a", {"host" + std::to_string(i)})}));
  EXPECT_TRUE(gone.expired());
}

TEST(EndpointTable, AViewFollowsPublishedSets) {
  EndpointTable table;
  EndpointView view(table);
  EXPECT_EQ(view.set()->endpoints().size(), 0u);
  table.publish(fleet({model("a", {"one"})}));
  EXPECT_EQ(view.set()->endpoints().size(), 1u);
}

TEST(EndpointTable, WhatAnEngineServesIsPublishedOnceAndSurvivesReload) {
  EndpointTable table;
  const auto set = table.publish(fleet({model("a", {"one", "two"})}));
  table.learn(endpoint(*set, 1), {{{"base", ""}, {"math-expert", "base"}}});
  const auto learnt = table.current();
  EXPECT_GT(learnt->version(), set->version());
  EXPECT_EQ(learnt->endpoints()[0].served, nullptr);
  ASSERT_NE(learnt->endpoints()[1].served, nullptr);
  EXPECT_TRUE(learnt->endpoints()[1].served->has("math-expert"));
  EXPECT_FALSE(learnt->endpoints()[1].served->has("law-expert"));
  table.learn(endpoint(*set, 1), {{{"base", ""}, {"math-expert", "base"}}});
  EXPECT_EQ(table.version(), learnt->version()) << "the same answer is no news";
  const auto reloaded = table.publish(fleet({model("a", {"two"})}));
  ASSERT_NE(reloaded->endpoints()[0].served, nullptr);
  EXPECT_TRUE(reloaded->endpoints()[0].served->has("math-expert"));
}

TEST(EndpointTable, ReliabilityOfTheModelOverridesTheGeneralSettings) {
  auto strict = model("a", {"one"});
  strict.reliability.consecutive_5xx = 2;
  strict.reliability.health_check_path = "/live";
  strict.reliability.lb_policy = "least_request";
  auto hosted = model("b", {"api.example"});
  hosted.backends[0].provider = "openai";
  EndpointTable table;
  const auto set = table.publish(fleet({strict, hosted, model("c", {"two"})}));
  EXPECT_EQ(set->endpoints()[0].health.eject_after, 2);
  EXPECT_EQ(set->endpoints()[0].health.path, "/live");
  EXPECT_EQ(set->find("a")->policy, config::BalancerPolicy::kLeastLoad);
  EXPECT_FALSE(set->endpoints()[1].health.active) << "hosted providers are not probed";
  EXPECT_EQ(set->endpoints()[2].health.path, "/health");
  EXPECT_EQ(set->find("c")->policy, config::BalancerPolicy::kAuto);
}

// The next turn of a conversation comes a moment after the answer, and must not flee from a prompt long done.
TEST(InFlightCount, AnswersInOnePieceHideNothingOnceTheyHaveCome) {
  index::PrefixIndex prefixes;
  const auto target = std::make_shared<Endpoint>(
      "http://one:8000", net::Address{"one", 8000, false}, "", prefixes.add_engine(100));
  const TimePoint now = at(seconds(1));
  const Work work{.prefill_tokens = 5000, .streams = false, .sent_at = now};
  InFlight first(target, work, false);
  InFlight second(target, work, false);
  EXPECT_GT(target->load().view(now).backlog_tokens, 9000);
  first.end();
  EXPECT_GT(target->load().view(now).backlog_tokens, 9000) << "which of the two is not known";
  second.end();
  EXPECT_EQ(target->load().view(now).backlog_tokens, 0);
}

TEST(InFlightCount, ReturnsToZeroWhateverPathTheRequestTakes) {
  index::PrefixIndex prefixes;
  const auto target = std::make_shared<Endpoint>(
      "http://one:8000", net::Address{"one", 8000, false}, "", prefixes.add_engine(100));
  {
    InFlight first(target, {.prefill_tokens = 50}, false);
    InFlight second(target, {.prefill_tokens = 30}, false);
    EXPECT_EQ(target->in_flight(), 2);
    EXPECT_EQ(target->queued_prefill_tokens(), 80);
    first.first_token(at(seconds(1)));
    first.first_token(at(seconds(1)));
    EXPECT_EQ(target->queued_prefill_tokens(), 30);
    InFlight moved(std::move(second));
    first = std::move(moved);
    EXPECT_EQ(target->in_flight(), 1);
    first.end();
    first.end();
  }
  EXPECT_EQ(target->in_flight(), 0);
  EXPECT_EQ(target->queued_prefill_tokens(), 0);
}

TEST(Ejection, FailuresInARowEjectAndASuccessInBetweenStartsTheCountAgain) {
  EndpointTable table;
  const auto set = table.publish(fleet({model("a", {"one", "two"})}));
  Endpoint& bad = endpoint(*set, 0);
  fail_times(table, *set, bad, 2, at(seconds(0)));
  table.report(*set, bad, Outcome::kSuccess, at(seconds(0)));
  fail_times(table, *set, bad, 2, at(seconds(0)));
  EXPECT_EQ(bad.service(at(seconds(0))), Service::kOpen);
  EXPECT_EQ(table.report(*set, bad, Outcome::kFailure, at(seconds(0))), Transition::kEjected);
  EXPECT_EQ(bad.service(at(milliseconds(999))), Service::kEjected);
  EXPECT_EQ(bad.service(at(milliseconds(1000))), Service::kHalfOpen);
  EXPECT_EQ(table.ejections_total(), 1u);
}

TEST(Ejection, CancelledRequestsSayNothingAboutTheEndpoint) {
  EndpointTable table;
  const auto set = table.publish(fleet({model("a", {"one", "two"})}));
  for (int i = 0; i < 100; ++i)
    table.report(*set, endpoint(*set, 0), Outcome::kNeutral, at(seconds(0)));
  EXPECT_EQ(endpoint(*set, 0).consecutive_failures(), 0);
}

TEST(Ejection, TheOnlyReplicaIsNeverEjected) {
  EndpointTable table;
  const auto set = table.publish(fleet({model("a", {"one"})}));
  fail_times(table, *set, endpoint(*set, 0), 50, at(seconds(0)));
  EXPECT_EQ(endpoint(*set, 0).service(at(seconds(0))), Service::kOpen);
}

TEST(Ejection, AReplicaStaysWhenTheOthersAreUnhealthy) {
  EndpointTable table;
  const auto set = table.publish(fleet({model("a", {"one", "two", "three"})}));
  endpoint(*set, 1).set_health(Health::kUnhealthy);
  endpoint(*set, 2).set_health(Health::kUnhealthy);
  fail_times(table, *set, endpoint(*set, 0), 50, at(seconds(0)));
  EXPECT_EQ(endpoint(*set, 0).service(at(seconds(0))), Service::kOpen);
}

TEST(Ejection, EachFailedTrialDoublesTheTimeUpToSixteenTimes) {
  EndpointTable table;
  const auto set = table.publish(fleet({model("a", {"one", "two"})}));
  Endpoint& bad = endpoint(*set, 0);
  TimePoint now = at(seconds(0));
  fail_times(table, *set, bad, 3, now);
  for (const int factor : {1, 2, 4, 8, 16, 16, 16}) {
    EXPECT_EQ(bad.service(now + milliseconds(1000 * factor - 1)), Service::kEjected) << factor;
    now += milliseconds(1000 * factor);
    ASSERT_EQ(bad.service(now), Service::kHalfOpen) << factor;
    EXPECT_EQ(table.report(*set, bad, Outcome::kFailure, now), Transition::kEjected);
  }
}

TEST(Ejection, AGoodTrialReturnsTheEndpointAndALongGoodTimeForgivesThePast) {
  EndpointTable table;
  const auto set = table.publish(fleet({model("a", {"one", "two"})}));
  Endpoint& bad = endpoint(*set, 0);
  fail_times(table, *set, bad, 3, at(seconds(0)));
  EXPECT_EQ(table.report(*set, bad, Outcome::kSuccess, at(seconds(1))), Transition::kReturned);
  EXPECT_EQ(bad.service(at(seconds(1))), Service::kOpen);
  // Soon after: the second ejection lasts twice as long.
  fail_times(table, *set, bad, 3, at(seconds(2)));
  EXPECT_EQ(bad.service(at(milliseconds(3900))), Service::kEjected);
  EXPECT_EQ(table.report(*set, bad, Outcome::kSuccess, at(seconds(4))), Transition::kReturned);
  // More than the longest ejection later it is a first offence again.
  fail_times(table, *set, bad, 3, at(seconds(30)));
  EXPECT_EQ(bad.service(at(milliseconds(30999))), Service::kEjected);
  EXPECT_EQ(bad.service(at(milliseconds(31000))), Service::kHalfOpen);
}

TEST(Ejection, AnsweredStragglersDoNotEndAnEjectionEarly) {
  EndpointTable table;
  const auto set = table.publish(fleet({model("a", {"one", "two"})}));
  Endpoint& bad = endpoint(*set, 0);
  fail_times(table, *set, bad, 3, at(seconds(0)));
  EXPECT_EQ(table.report(*set, bad, Outcome::kSuccess, at(milliseconds(500))), Transition::kNone);
  EXPECT_EQ(bad.service(at(milliseconds(500))), Service::kEjected);
}

TEST(Ejection, TheShareDoesNotProtectWhoCannotBeReached) {
  EndpointTable table;
  const auto set = table.publish(fleet({model("a", {"h0", "h1", "h2"})}));
  const auto now = at(seconds(0));
  const auto refuse = [&](std::size_t which) {
    for (int i = 0; i < 5; ++i)
      table.report(*set, endpoint(*set, which), Outcome::kUnreachable, now);
    return endpoint(*set, which).service(now);
  };
  fail_times(table, *set, endpoint(*set, 0), 5, now);
  fail_times(table, *set, endpoint(*set, 1), 5, now);
  EXPECT_EQ(endpoint(*set, 1).service(now), Service::kOpen) << "two of three are more than half";
  EXPECT_EQ(refuse(1), Service::kEjected);
  EXPECT_EQ(refuse(2), Service::kOpen) << "the last one stays";
}

// Any mix of outcomes over any fleet: a model with several replicas keeps one in service, and no more than the allowed
// share (or one) is out at any time, unless they cannot be reached.
RC_GTEST_PROP(EjectionProperty, TheFloorHoldsUnderAnyHistory, ()) {
  const auto replicas = *rc::gen::inRange(1, 9);
  const auto percent = *rc::gen::inRange(0, 101);
  const bool unreachable = *rc::gen::arbitrary<bool>();
  std::vector<std::string> hosts;
  for (int i = 0; i < replicas; ++i) hosts.push_back("h" + std::to_string(i));
  auto config = fleet({model("a", hosts)});
  config.own.health.max_ejection_percent = percent;
  EndpointTable table;
  const auto set = table.publish(config);
  TimePoint now = at(seconds(0));
  const auto steps = *rc::gen::container<std::vector<std::pair<int, int>>>(
      rc::gen::pair(rc::gen::inRange(0, replicas), rc::gen::inRange(0, 12)));
  for (const auto& [target, action] : steps) {
    if (action >= 10) {
      now += milliseconds(action == 10 ? 300 : 5000);
      continue;
    }
    const Outcome outcome = action == 0                      ? Outcome::kSuccess
                            : unreachable && action % 2 == 1 ? Outcome::kUnreachable
                                                             : Outcome::kFailure;
    for (int i = 0; i < action + 1; ++i)
      table.report(*set, endpoint(*set, static_cast<std::size_t>(target)), outcome, now);
    int out = 0;
    for (const auto& entry : set->endpoints())
      out += entry.endpoint->service(now) != Service::kOpen ? 1 : 0;
    RC_ASSERT(out < replicas || replicas == 0);
    const int allowed = percent == 0 || replicas == 1 ? 0 : std::max(1, replicas * percent / 100);
    RC_ASSERT(out <= allowed || (unreachable && percent > 0));
  }
}

}  // namespace
}  // namespace signalbox::discovery
