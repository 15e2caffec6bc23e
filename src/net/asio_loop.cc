#include "net/asio_loop.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

namespace signalbox::net {

void AsioLoop::post(std::move_only_function<void()> fn) { boost::asio::post(io_, std::move(fn)); }

void AsioLoop::arm(Timer& timer, Deadline deadline) {
  if (deadline.time() == TimePoint::max()) {
    timer.unlink();
    return;
  }
  const TimePoint when = wheel_.arm(timer, deadline.time());
  if (when < wake_at_) schedule(when);
}

void AsioLoop::schedule(TimePoint when) {
  wake_at_ = when;
  wake_.expires_at(when);
  wake_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;  // moved to an earlier moment
    wake_at_ = TimePoint::max();
    wheel_.advance(now());
    const TimePoint next = wheel_.next();
    if (next < wake_at_) schedule(next);
  });
}

void AsioLoop::run() {
  auto guard = boost::asio::make_work_guard(io_);
  io_.run();
  io_.restart();  // after stop(): the loop may be run again to finish what is left
}

std::unique_ptr<Loop> make_loop() { return std::make_unique<AsioLoop>(); }

}  // namespace signalbox::net
