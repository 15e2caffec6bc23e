// A loop with virtual time for tests and simulations: nothing happens between two steps, sleeping costs nothing, and
// the same program gives the same run. Time only moves when there is nothing left to do at the present moment.
#pragma once

#include <deque>
#include <functional>
#include <mutex>
#include <utility>

#include "base/clock.h"
#include "net/loop.h"
#include "net/task.h"
#include "net/timer_wheel.h"

namespace signalbox::net_testing {

class ManualClock final : public Clock {
 public:
  TimePoint now() const override { return now_; }
  // 2024-02-29 00:00:00 UTC at the start.
  std::chrono::nanoseconds unix_time() const override {
    return std::chrono::seconds(1709164800) + (now_ - start_);
  }
  void move_to(TimePoint time) { now_ = time; }

 private:
  TimePoint start_{std::chrono::hours(1)};
  TimePoint now_ = start_;
};

class ManualLoop final : public net::Loop {
 public:
  const Clock& clock() const override { return clock_; }
  void post(std::move_only_function<void()> fn) override;  // from any thread
  void arm(net::Timer& timer, Deadline deadline) override;
  // Runs until stop() or until nothing is posted and no timer is armed, moving time from timer to timer.
  void run() override;
  void stop() override { stopped_ = true; }

  // Everything that can happen at the present moment. Returns false when there was nothing.
  bool run_ready();
  // Lets virtual time pass, with all that happens in it.
  void advance(Duration wait);

  // Runs a task to its end, as run() does. The task must end by itself: one that waits for ever is an assertion.
  template <class T>
  T run_task(net::Task<T> task);

 private:
  template <class T>
  static net::Task<void> store(net::Task<T> task, std::optional<T>* out) {
    out->emplace(co_await std::move(task));
  }
  static net::Task<void> store_done(net::Task<void> task, bool* done) {
    co_await std::move(task);
    *done = true;
  }
  // Moves to the next timer, if it is due by `until`.
  bool step_time(TimePoint until);

  ManualClock clock_;
  net::TimerWheel wheel_;
  std::mutex mutex_;  // guards posted_
  std::deque<std::move_only_function<void()>> posted_;
  bool stopped_ = false;
};

template <class T>
T ManualLoop::run_task(net::Task<T> task) {
  net::TaskGroup group(*this);
  if constexpr (std::is_void_v<T>) {
    bool done = false;
    group.spawn(store_done(std::move(task), &done));
    while (!done && (run_ready() || step_time(TimePoint::max()))) {
    }
    SBX_ASSERT(done);
  } else {
    std::optional<T> out;
    group.spawn(store(std::move(task), &out));
    while (!out && (run_ready() || step_time(TimePoint::max()))) {
    }
    SBX_ASSERT(out.has_value());
    return std::move(*out);
  }
}

}  // namespace signalbox::net_testing
