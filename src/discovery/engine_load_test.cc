#include "discovery/engine_load.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "base/random.h"

namespace signalbox::discovery {
namespace {

using std::chrono::milliseconds;

TimePoint at(std::int64_t ms) { return TimePoint{} + std::chrono::hours(1) + milliseconds(ms); }

// Whatever the engine's speed, some hundred prompts teach it, noise or not.
RC_GTEST_PROP(PrefillSpeed, IsLearntFromWhatPromptsTake, ()) {
  const double per_token = 1.0 / *rc::gen::inRange(500, 100'000);
  const double overhead = *rc::gen::inRange(0, 200) / 1000.0;
  Random random(*rc::gen::arbitrary<std::uint64_t>());
  PrefillSpeed speed;
  for (int i = 0; i < 1500; ++i) {
    const double tokens = random.unit() * (random.unit() < 0.2 ? 8000 : 300);
    const double noise = 0.9 + 0.2 * random.unit();
    speed.observe(tokens, noise * (overhead + tokens * per_token));
  }
  RC_ASSERT(speed.seconds_per_token() > 0.8 * per_token);
  RC_ASSERT(speed.seconds_per_token() < 1.25 * per_token);
  RC_ASSERT(speed.overhead_seconds() < overhead * 1.2 + 200 * per_token);
}

TEST(PrefillSpeed, OddObservationsLeaveItFiniteAndPositive) {
  PrefillSpeed speed;
  for (int i = 0; i < 100; ++i) speed.observe(0, 0);
  EXPECT_GT(speed.seconds_per_token(), 0);
  for (int i = 0; i < 100; ++i) speed.observe(1e9, 1e-9);
  EXPECT_GT(speed.seconds_per_token(), 0);
  EXPECT_GE(speed.overhead_seconds(), 0);
}

TEST(EngineLoad, ThePromptsOfStreamsAreQueuedUntilTheirFirstToken) {
  EngineLoad load;
  load.sent(1000, true, at(0));
  load.sent(500, true, at(0));
  EXPECT_EQ(load.view(at(0)).backlog_tokens, 1500);
  load.first_token(1000, at(0), at(100));
  EXPECT_EQ(load.queued_tokens(), 500);
  load.dropped(500);
  EXPECT_EQ(load.view(at(100)).backlog_tokens, 0);
}

TEST(EngineLoad, APromptInServiceShrinksWithTimeButNotBelowHalfOfTheQueue) {
  EngineLoad load;
  load.sent(1000, true, at(0));
  const double soon = load.view(at(20)).backlog_tokens;
  EXPECT_LT(soon, 1000);
  EXPECT_GT(soon, 500);
  EXPECT_EQ(load.view(at(100'000)).backlog_tokens, 500);
}

TEST(EngineLoad, ThePromptsOfAnswersInOnePieceAreBelievedDoneAtTheKnownSpeed) {
  EngineLoad load;
  load.sent(1000, false, at(0));
  load.sent(1000, false, at(0));
  EXPECT_NEAR(load.view(at(0)).backlog_tokens, 2000, 1);
  EXPECT_NEAR(load.view(at(100)).backlog_tokens, 1000, 1);
  EXPECT_EQ(load.view(at(300)).backlog_tokens, 0);
}

TEST(EngineLoad, WhatTheEngineHasMoreThanWeSentIsOthersLoad) {
  EngineLoad load;
  for (int i = 0; i < 20; ++i) load.scraped({.running = 6, .waiting = 2, .kv_usage = 0.5}, 3);
  const auto view = load.view(at(0));
  EXPECT_NEAR(view.foreign_requests, 5, 0.01);
  EXPECT_NEAR(view.foreign_waiting, 2 * 5 / 8.0, 0.01);
  EXPECT_NEAR(view.kv_usage, 0.5, 0.01);
  for (int i = 0; i < 20; ++i) load.scraped({.running = 2, .waiting = 0}, 3);
  EXPECT_NEAR(load.view(at(0)).foreign_requests, 0, 0.01);
  EXPECT_NEAR(load.view(at(0)).kv_usage, 0.5, 0.01) << "not said is not zero";
}

}  // namespace
}  // namespace signalbox::discovery
