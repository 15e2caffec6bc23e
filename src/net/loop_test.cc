#include "net/loop.h"

#include <gtest/gtest.h>
#include <sys/eventfd.h>

#include <array>
#include <atomic>
#include <thread>
#include <utility>
#include <vector>

#include "net/epoll_loop.h"
#include "net/timer_wheel.h"

namespace signalbox::net {
namespace {

using namespace std::chrono_literals;

Task<int> immediate(int value) { co_return value; }

Task<long> sum_many(int count) {
  long total = 0;
  for (int i = 0; i < count; ++i) total += co_await immediate(i);
  co_return total;
}

Task<void> store_sum(int count, long* out, Loop* loop) {
  *out = co_await sum_many(count);
  loop->stop();
}

TEST(Task, LoopOverTasksThatFinishAtOnceUsesNoStack) {
  auto loop = make_loop();
  TaskGroup group(*loop);
  long total = 0;
  group.spawn(store_sum(1'000'000, &total, loop.get()));
  EXPECT_EQ(total, 499'999'500'000);
}

Task<void> sleep_then_record(Loop* loop, Duration wait, int id, std::vector<int>* order) {
  co_await loop->sleep(wait);
  order->push_back(id);
}

Task<void> join_then_stop(Loop* loop, TaskGroup* group) {
  co_await group->join();
  loop->stop();
}

TEST(Loop, SleepersWakeInOrderOfTheirDeadlines) {
  auto loop = make_loop();
  TaskGroup sleepers(*loop);
  TaskGroup waiter(*loop);
  std::vector<int> order;
  sleepers.spawn(sleep_then_record(loop.get(), 90ms, 3, &order));
  sleepers.spawn(sleep_then_record(loop.get(), 1ms, 1, &order));
  sleepers.spawn(sleep_then_record(loop.get(), 45ms, 2, &order));
  waiter.spawn(join_then_stop(loop.get(), &sleepers));
  loop->run();
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
}

// Two threads bring work while the loop sleeps, wakes for timers and is posted to: nothing is lost, nothing runs at the
// same time as something else of the loop, each thread's work keeps its order, and some of it ran where it came from.
TEST(Loop, ThreadsTakeTurnsWithASleepingLoop) {
  constexpr int kEach = 20'000;
  auto loop = make_loop();
  loop->allow_turns();
  std::array<int, 2> next{};  // plain on purpose: turns exclude one another
  int posted = 0;
  int in_place = 0;
  bool inside = false;
  TaskGroup sleepers(*loop);
  const auto done = [&] {
    if (next[0] == kEach && next[1] == kEach && posted == 2 * kEach) loop->stop();
  };
  const auto bring = [&](std::size_t which) {
    for (int i = 0; i < kEach; ++i) {
      loop->run_or_post([&, which, i, from = std::this_thread::get_id()] {
        ASSERT_FALSE(std::exchange(inside, true));
        ASSERT_EQ(next[which], i);
        ++next[which];
        if (from == std::this_thread::get_id()) ++in_place;
        inside = false;
        done();
      });
      loop->post([&] {
        ASSERT_FALSE(inside);
        ++posted;
        done();
      });
      if (i % 1024 == 0) std::this_thread::yield();
    }
  };
  std::thread first(bring, 0);
  std::thread second(bring, 1);
  loop->run();
  first.join();
  second.join();
  EXPECT_EQ(next, (std::array{kEach, kEach}));
  EXPECT_EQ(posted, 2 * kEach);
  EXPECT_GT(in_place, 0);
}

Task<void> sleep_then_stop(Loop* loop, Duration wait) {
  co_await loop->sleep(wait);
  loop->stop();
}

// The loop sleeps without an end when the turn begins: it must be told of the earlier end.
TEST(Loop, ATimerArmedInAnothersTurnEndsTheSleep) {
  auto loop = make_loop();
  loop->allow_turns();
  TaskGroup sleepers(*loop);
  std::atomic<bool> in_place{false};
  std::thread other([&] {
    while (!in_place) {
      loop->run_or_post([&, from = std::this_thread::get_id()] {
        if (from != std::this_thread::get_id()) return;
        in_place = true;
        sleepers.spawn(sleep_then_stop(loop.get(), 1ms));
      });
    }
  });
  loop->run();
  other.join();
  EXPECT_TRUE(in_place);
}

TEST(Loop, WithoutLeaveWorkStaysOnTheLoopsThread) {
  auto loop = make_loop();
  std::thread::id where;
  std::thread other([&] {
    loop->run_or_post([&] {
      where = std::this_thread::get_id();
      loop->stop();
    });
  });
  loop->run();
  other.join();
  EXPECT_EQ(where, std::this_thread::get_id());
}

TEST(OneShot, ValueSetByAnotherThreadResumesTheWaiterOnItsLoop) {
  auto loop = make_loop();
  OneShot<int> shot(*loop);
  std::optional<int> got;
  TaskGroup group(*loop);
  struct Run {
    static Task<void> wait(OneShot<int> shot, std::optional<int>* got, Loop* loop) {
      *got = co_await shot.wait(Deadline::none());
      loop->stop();
    }
  };
  group.spawn(Run::wait(shot, &got, loop.get()));
  std::thread producer([shot] { shot.set(7); });
  loop->run();
  producer.join();
  EXPECT_EQ(got, 7);
}

TEST(OneShot, WaiterGivesUpAtItsDeadlineAndALateValueIsDropped) {
  auto loop = make_loop();
  OneShot<int> shot(*loop);
  std::optional<int> got = 1;
  TaskGroup group(*loop);
  struct Run {
    static Task<void> wait(OneShot<int> shot, std::optional<int>* got, Loop* loop) {
      *got = co_await shot.wait(Deadline::after(loop->now(), 1ms));
      shot.set(9);
      loop->post([loop] { loop->stop(); });
    }
  };
  group.spawn(Run::wait(shot, &got, loop.get()));
  loop->run();
  EXPECT_EQ(got, std::nullopt);
}

TEST(Cancellation, RegistrationsRunOnceAndLeaveWhenTheyDie) {
  Cancellation source;
  int first = 0;
  int second = 0;
  Cancellation::Registration keep(source, [&] { ++first; });
  {
    Cancellation::Registration gone(source, [&] { ++second; });
  }
  source.cancel();
  source.cancel();
  EXPECT_EQ(first, 1);
  EXPECT_EQ(second, 0);
  int late = 0;
  Cancellation::Registration after(source, [&] { ++late; });
  EXPECT_EQ(late, 1);
}

TEST(Cancellation, CallbackMayDestroyTheSourceThatRunsIt) {
  auto source = std::make_unique<Cancellation>();
  int calls = 0;
  Cancellation::Registration other(*source, [&] { ++calls; });
  Cancellation::Registration last(*source, [&] {
    ++calls;
    source.reset();
  });
  source->cancel();
  EXPECT_EQ(calls, 1);
}

class CountingTimer final : public Timer {
 public:
  void expired() override { ++fired; }
  int fired = 0;
};

TEST(TimerWheel, FiresNeverEarlyAndKeepsTimersOfLaterRevolutions) {
  TimerWheel wheel;
  const TimePoint start{1h};
  wheel.advance(start);
  CountingTimer near;
  CountingTimer far;  // same bucket, two revolutions later
  wheel.arm(near, start + 100ms);
  wheel.arm(far, start + 100ms + 2 * 1024 * 20ms);
  wheel.advance(start + 99ms);
  EXPECT_EQ(near.fired, 0);
  wheel.advance(start + 140ms);
  EXPECT_EQ(near.fired, 1);
  EXPECT_EQ(far.fired, 0);
  wheel.advance(start + 30s);
  EXPECT_EQ(far.fired, 0);
  wheel.advance(start + 41'200ms);
  EXPECT_EQ(far.fired, 1);
  EXPECT_EQ(wheel.next(), TimePoint::max());
}

// An event that is already there; its handler takes time.
struct SlowEvent final : Watcher {
  explicit SlowEvent(EpollLoop& owner)
      : loop(owner), event(::eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC)) {
    loop.watch(event.get(), EPOLLIN, *this);
  }
  void ready(std::uint32_t) override {
    begun = loop.now();
    while (loop.clock().now() < begun + 1ms) {
    }
    ended = loop.now();
    loop.unwatch(event.get());
    loop.stop();
  }
  EpollLoop& loop;
  Fd event;
  TimePoint begun{};
  TimePoint ended{};
};

TEST(Loop, TheTimeOfAnEventIsWhenItBeganAndItsSuccessorsIsLater) {
  EpollLoop loop;
  const TimePoint before = loop.now();
  SlowEvent first(loop);
  loop.run();
  EXPECT_GE(first.begun, before);
  EXPECT_EQ(first.begun, first.ended);
  EXPECT_GE(loop.now(), first.begun + 1ms) << "between events it goes on";
  SlowEvent second(loop);
  loop.run();
  EXPECT_GE(second.begun, first.begun + 1ms);
}

TEST(TimerWheel, UnlinkedTimersDoNotFire) {
  TimerWheel wheel;
  const TimePoint start{1h};
  wheel.advance(start);
  CountingTimer timer;
  wheel.arm(timer, start + 10ms);
  timer.unlink();
  wheel.advance(start + 1s);
  EXPECT_EQ(timer.fired, 0);
}

}  // namespace
}  // namespace signalbox::net
