#include "encoder/pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <latch>

#include "base/limits.h"
#include "encoder/testing.h"

namespace signalbox::encoder {
namespace {

class ManualClock : public Clock {
 public:
  TimePoint now() const override { return TimePoint(Duration(now_.load())); }
  std::chrono::nanoseconds unix_time() const override { return {}; }
  void advance(Duration by) { now_ += by.count(); }

 private:
  std::atomic<std::int64_t> now_ = 1;
};

class PoolTest : public ::testing::Test {
 protected:
  PoolTest() : encoder_(std::move(*Encoder::load(testing::tiny_directory(), "/nonexistent"))) {}

  // Occupies one compute thread until the latch is counted down.
  static Pool::Done hold(std::promise<void>& started, std::latch& release) {
    return [&started, &release](Analysis) {
      started.set_value();
      release.wait();
    };
  }

  std::unique_ptr<Encoder> encoder_;
};

TEST_F(PoolTest, ManyThreadsGiveWhatOneThreadGives) {
  Workspace workspace;
  Pool pool(*encoder_, 3);
  std::vector<std::future<Analysis>> answers;
  for (int i = 0; i < 200; ++i) {
    std::promise<Analysis> promise;
    answers.push_back(promise.get_future());
    ASSERT_TRUE(pool.submit(std::string(static_cast<std::size_t>(i % 30), 'a'), Demand::kEmbedding,
                            [promise = std::move(promise)](Analysis analysis) mutable {
                              promise.set_value(std::move(analysis));
                            }));
  }
  for (int i = 0; i < 200; ++i) {
    const auto alone = encoder_->analyze(std::string(static_cast<std::size_t>(i % 30), 'a'),
                                         Demand::kEmbedding, workspace);
    EXPECT_EQ(answers[static_cast<std::size_t>(i)].get().embedding, alone.embedding);
  }
}

TEST_F(PoolTest, AFullQueueRefusesAtOnceAndTheCallbackIsNotCalled) {
  std::promise<void> started;
  std::latch release(1);
  std::atomic<int> called = 0;
  {
    Pool pool(*encoder_, 1);
    ASSERT_TRUE(pool.submit("a", Demand::kNone, hold(started, release)));
    started.get_future().wait();
    for (std::size_t i = 0; i < limits::kEncoderQueueMax; ++i) {
      ASSERT_TRUE(pool.submit("a", Demand::kNone, [&](Analysis) { ++called; }));
    }
    EXPECT_EQ(pool.queued(), limits::kEncoderQueueMax);
    EXPECT_FALSE(pool.submit("a", Demand::kNone, [&](Analysis) { ++called; }));
    EXPECT_EQ(pool.rejected(), 1u);
    release.count_down();
  }
  EXPECT_EQ(called, static_cast<int>(limits::kEncoderQueueMax));
}

TEST_F(PoolTest, AJobPastItsDeadlineFailsWithoutAPass) {
  ManualClock clock;
  std::promise<void> started;
  std::latch release(1);
  std::promise<Analysis> late, timely;
  Pool pool(*encoder_, 1, clock);
  ASSERT_TRUE(pool.submit("a", Demand::kNone, hold(started, release)));
  started.get_future().wait();
  ASSERT_TRUE(pool.submit(
      "a", Demand::kEmbedding, [&](Analysis a) { late.set_value(std::move(a)); },
      Deadline::after(clock.now(), std::chrono::milliseconds(5))));
  ASSERT_TRUE(pool.submit(
      "a", Demand::kEmbedding, [&](Analysis a) { timely.set_value(std::move(a)); },
      Deadline::after(clock.now(), std::chrono::seconds(5))));
  clock.advance(std::chrono::milliseconds(6));
  release.count_down();
  const Analysis expired = late.get_future().get();
  ASSERT_TRUE(expired.failed());
  EXPECT_EQ(expired.error->code, Code::kRequestTimeout);
  EXPECT_EQ(expired.passes, 0);
  EXPECT_FALSE(timely.get_future().get().failed());
}

// Long enough for a crew; the threads come and go between being leaders, helpers and idle.
TEST_F(PoolTest, LongTextsWithHelpersGiveWhatOneThreadGives) {
  Workspace workspace;
  const std::string text = [] {
    std::string words;
    for (int i = 0; i < 40; ++i) words += i % 3 == 0 ? "the " : "points ";
    return words;
  }();
  const auto alone = encoder_->analyze(text, Demand::kEmbedding, workspace);
  ASSERT_GE(alone.tokens_seen, 32);
  Pool pool(*encoder_, 3);
  for (int round = 0; round < 60; ++round) {
    std::vector<std::future<Analysis>> answers;
    for (int i = 0; i <= round % 3; ++i) {
      std::promise<Analysis> promise;
      answers.push_back(promise.get_future());
      ASSERT_TRUE(pool.submit(text, Demand::kEmbedding,
                              [promise = std::move(promise)](Analysis analysis) mutable {
                                promise.set_value(std::move(analysis));
                              }));
    }
    for (auto& answer : answers) ASSERT_EQ(answer.get().embedding, alone.embedding);
  }
}

TEST_F(PoolTest, TheDestructorRunsWhatWasAccepted) {
  std::atomic<int> called = 0;
  {
    Pool pool(*encoder_, 2);
    for (int i = 0; i < 50; ++i) {
      ASSERT_TRUE(pool.submit("the points", Demand::kEmbedding,
                              [&](Analysis a) { called += a.failed() ? 0 : 1; }));
    }
  }
  EXPECT_EQ(called, 50);
}

}  // namespace
}  // namespace signalbox::encoder
