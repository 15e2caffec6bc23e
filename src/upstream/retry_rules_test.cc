#include "upstream/retry_rules.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <string>
#include <vector>

#include "upstream/retry_budget.h"

namespace signalbox::upstream {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(RetryConditions, ByDefaultOverloadAndGatewayStatusesAreTriedAgainAndEnginesOwnFaultsAreNot) {
  const auto conditions = default_retry_conditions();
  for (const int status : {429, 502, 503, 504}) EXPECT_TRUE(conditions.status(status)) << status;
  for (const int status : {200, 400, 404, 500, 501, 505})
    EXPECT_FALSE(conditions.status(status)) << status;
  EXPECT_TRUE(conditions.error(Code::kUpstreamConnect, false));
  EXPECT_TRUE(conditions.error(Code::kUpstreamReset, true));
  EXPECT_TRUE(conditions.error(Code::kUpstreamTimeout, false)) << "the connect timed out";
  EXPECT_FALSE(conditions.error(Code::kUpstreamTimeout, true)) << "a long prefill";
  EXPECT_FALSE(conditions.error(Code::kCancelled, true));
}

TEST(RetryConditions, EnvoysWordsAreUnderstood) {
  const auto words = parse_retry_on("connect-failure, gateway-error,418, something-new");
  EXPECT_TRUE(words.status(503));
  EXPECT_TRUE(words.status(418));
  EXPECT_FALSE(words.status(500));
  EXPECT_FALSE(words.status(429));
  EXPECT_TRUE(words.error(Code::kUpstreamConnect, false));
  EXPECT_FALSE(words.error(Code::kUpstreamReset, true));
  EXPECT_TRUE(parse_retry_on("5xx").status(500));
  EXPECT_TRUE(parse_retry_on(" ").status(429)) << "empty means the default";
}

TEST(Repeatable, InferenceMayBeRepeatedWhatCreatesThingsMayNot) {
  exchange::ClientRequest client;
  client.method = "POST";
  client.path = "/v1/chat/completions";
  EXPECT_TRUE(is_repeatable(client, exchange::Endpoint::kChatCompletions));
  for (const char* path : {"/v1/files", "/v1/batches", "/v1/load_lora_adapter", "/sleep"}) {
    client.path = path;
    EXPECT_FALSE(is_repeatable(client, exchange::Endpoint::kOther)) << path;
  }
  client.method = "GET";
  EXPECT_TRUE(is_repeatable(client, exchange::Endpoint::kOther));
  client.method = "POST";
  client.path = "/v1/images/generations";
  EXPECT_TRUE(is_repeatable(client, exchange::Endpoint::kOther));
}

TEST(RetryAfter, SecondsAreReadAndEverythingElseIsNoWait) {
  const auto wait = [](const std::string& value) {
    http::Headers headers;
    headers.add("Retry-After", value);
    return retry_after(headers);
  };
  EXPECT_EQ(wait("7"), seconds(7));
  EXPECT_EQ(wait(" 0 "), seconds(0));
  EXPECT_EQ(wait("Fri, 31 Dec 1999 23:59:59 GMT"), std::nullopt);
  EXPECT_EQ(wait("-1"), std::nullopt);
  EXPECT_GT(*wait("18446744073709551615"), seconds(1000)) << "no overflow";
  EXPECT_EQ(retry_after({}), std::nullopt);
}

TEST(Backoff, DoublesUpToTwoSeconds) {
  EXPECT_EQ(backoff(1), milliseconds(100));
  EXPECT_EQ(backoff(2), milliseconds(200));
  EXPECT_EQ(backoff(1000), seconds(2));
}

TEST(RetryBudget, AnIdleRouterMayStillRetryAFewTimes) {
  RetryBudget budget;
  const config::Retry settings{.attempts_max = 3, .budget_ratio = 0.2, .budget_min_per_second = 2};
  const TimePoint now = TimePoint{} + seconds(1000);
  budget.request(now);
  int granted = 0;
  while (budget.take(settings, now)) ++granted;
  EXPECT_EQ(granted, 20);
  EXPECT_FALSE(budget.take(settings, now + seconds(9)));
  EXPECT_TRUE(budget.take(settings, now + seconds(10)));
}

// In every window of ten seconds: granted retries <= ratio * requests in it + minimum * 10; and a retry is refused only
// when granting it would break that.
RC_GTEST_PROP(RetryBudgetProperty, RetriesStayWithinTheirShareOfEveryWindow, ()) {
  const config::Retry settings{.attempts_max = 3,
                               .budget_ratio = *rc::gen::inRange(0, 10) / 10.0,
                               .budget_min_per_second = *rc::gen::inRange(0, 3)};
  struct Second {
    std::int64_t at = 0;
    int requests = 0;
    int retries = 0;
  };
  RetryBudget budget;
  std::vector<Second> history;
  std::int64_t second = 5000;
  const auto steps = *rc::gen::container<std::vector<std::pair<int, int>>>(
      rc::gen::pair(rc::gen::inRange(0, 30), rc::gen::inRange(0, 12)));
  for (const auto& [requests, pause] : steps) {
    second += pause;
    history.push_back({second, requests, 0});
    const TimePoint now = TimePoint{} + seconds(second) + milliseconds(500);
    for (int i = 0; i < requests; ++i) budget.request(now);
    for (;;) {
      const bool granted = budget.take(settings, now);
      int window_requests = 0;
      int window_retries = 0;
      for (const Second& past : history) {
        if (past.at <= second - 10) continue;
        window_requests += past.requests;
        window_retries += past.retries;
      }
      const double allowed =
          settings.budget_ratio * window_requests + settings.budget_min_per_second * 10;
      RC_ASSERT(granted == (window_retries + 1 <= allowed));
      if (!granted) break;
      ++history.back().retries;
    }
  }
}

}  // namespace
}  // namespace signalbox::upstream
