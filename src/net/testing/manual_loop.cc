#include "net/testing/manual_loop.h"

#include <algorithm>

namespace signalbox::net_testing {

void ManualLoop::post(std::move_only_function<void()> fn) {
  const std::scoped_lock lock(mutex_);
  posted_.push_back(std::move(fn));
}

void ManualLoop::arm(net::Timer& timer, Deadline deadline) {
  if (deadline.time() == TimePoint::max()) {
    timer.unlink();
    return;
  }
  wheel_.arm(timer, deadline.time());
}

bool ManualLoop::run_ready() {
  bool any = false;
  while (true) {
    std::move_only_function<void()> fn;
    {
      const std::scoped_lock lock(mutex_);
      if (posted_.empty()) return any;
      fn = std::move(posted_.front());
      posted_.pop_front();
    }
    fn();
    any = true;
  }
}

bool ManualLoop::step_time(TimePoint until) {
  const TimePoint next = wheel_.next();
  if (next == TimePoint::max() || next > until) return false;
  clock_.move_to(std::max(clock_.now(), next));
  wheel_.advance(clock_.now());
  return true;
}

void ManualLoop::run() {
  stopped_ = false;
  while (!stopped_ && (run_ready() || step_time(TimePoint::max()))) {
  }
}

void ManualLoop::advance(Duration wait) {
  const TimePoint until = clock_.now() + wait;
  while (run_ready() || step_time(until)) {
  }
  clock_.move_to(until);
}

}  // namespace signalbox::net_testing
