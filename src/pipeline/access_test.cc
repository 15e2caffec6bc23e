#include "pipeline/access.h"

#include <gtest/gtest.h>

namespace signalbox::pipeline {
namespace {

using std::chrono::seconds;

constexpr TimePoint kStart = TimePoint{} + std::chrono::hours(1);

config::Access one_key(int requests, int tokens = 0, int concurrent = 0) {
  config::ClientKey key;
  key.name = "team";
  key.key = Secret("sk-right");
  key.requests_per_minute = requests;
  key.tokens_per_minute = tokens;
  key.concurrent_max = concurrent;
  key.models = {"small"};
  return {{key}};
}

http::Headers bearer(const std::string& key) {
  http::Headers headers;
  headers.add("Authorization", "Bearer " + key);
  return headers;
}

TEST(Access, WithoutKeysEverybodyMayAskAndKeepsHisHeaders) {
  const AccessTable table({}, nullptr);
  auto headers = bearer("anything");
  EXPECT_TRUE(table.admit(headers, kStart));
  EXPECT_TRUE(headers.has("authorization")) << "it is meant for the engine";
}

TEST(Access, OnlyAKnownKeyIsLetInAndNoEngineSeesIt) {
  const AccessTable table(one_key(0), nullptr);
  auto right = bearer("sk-right");
  const auto admitted = table.admit(right, kStart);
  ASSERT_TRUE(admitted);
  EXPECT_EQ(admitted->key()->name, "team");
  EXPECT_FALSE(right.has("authorization"));
  http::Headers other;
  other.add("x-api-key", "sk-right");
  EXPECT_TRUE(table.admit(other, kStart));
  for (const char* wrong : {"sk-wrong", "sk-righ", "sk-right2", ""}) {
    auto headers = bearer(wrong);
    const auto refused = table.admit(headers, kStart);
    ASSERT_FALSE(refused) << wrong;
    EXPECT_EQ(refused.error().error.code, Code::kUnauthenticated);
  }
}

TEST(Access, AMinutesRequestsMayComeAtOnceAndThenOneByOne) {
  const AccessTable table(one_key(60), nullptr);
  for (int i = 0; i < 60; ++i) {
    auto headers = bearer("sk-right");
    EXPECT_TRUE(table.admit(headers, kStart)) << i;
  }
  auto headers = bearer("sk-right");
  const auto refused = table.admit(headers, kStart);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().error.code, Code::kRateLimited);
  EXPECT_EQ(std::chrono::ceil<seconds>(refused.error().retry_after), seconds(1));
  headers = bearer("sk-right");
  EXPECT_TRUE(table.admit(headers, kStart + seconds(1)));
}

TEST(Access, TokensAreChargedAfterwardsAndStopTheNextRequest) {
  const AccessTable table(one_key(0, 600), nullptr);
  auto headers = bearer("sk-right");
  {
    const auto admitted = table.admit(headers, kStart);
    admitted->charge_tokens(700, kStart);
  }
  headers = bearer("sk-right");
  const auto refused = table.admit(headers, kStart);
  ASSERT_FALSE(refused);
  EXPECT_EQ(std::chrono::ceil<seconds>(refused.error().retry_after), seconds(10));
  headers = bearer("sk-right");
  EXPECT_TRUE(table.admit(headers, kStart + seconds(10)));
}

TEST(Access, RequestsAtATimeAreCountedUntilTheyEnd) {
  const AccessTable table(one_key(0, 0, 1), nullptr);
  auto headers = bearer("sk-right");
  {
    const auto first = table.admit(headers, kStart);
    ASSERT_TRUE(first);
    headers = bearer("sk-right");
    EXPECT_FALSE(table.admit(headers, kStart));
  }
  headers = bearer("sk-right");
  EXPECT_TRUE(table.admit(headers, kStart));
}

TEST(Access, AReloadKeepsWhatWasUsed) {
  const AccessTable before(one_key(1), nullptr);
  auto headers = bearer("sk-right");
  EXPECT_TRUE(before.admit(headers, kStart));
  const AccessTable after(one_key(1), &before);
  headers = bearer("sk-right");
  EXPECT_FALSE(after.admit(headers, kStart));
}

TEST(Access, AKeyMayBeBoundToModels) {
  const AccessTable table(one_key(0), nullptr);
  auto headers = bearer("sk-right");
  const auto admitted = table.admit(headers, kStart);
  EXPECT_TRUE(admitted->may_use("small"));
  EXPECT_FALSE(admitted->may_use("large"));
}

TEST(Access, ABatchKeepsToItsClientsModels) {
  const AccessTable table(one_key(1), nullptr);
  for (int i = 0; i < 3; ++i) {
    const auto admitted = table.in_name_of("team");
    EXPECT_TRUE(admitted.may_use("small")) << "its pace is not the client's";
    EXPECT_FALSE(admitted.may_use("large"));
  }
  EXPECT_EQ(table.in_name_of("gone").key(), nullptr);
}

}  // namespace
}  // namespace signalbox::pipeline
