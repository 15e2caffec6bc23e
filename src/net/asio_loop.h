// The production loop, as the other files of net/ see it. Nothing outside net/ includes this.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "net/loop.h"
#include "net/timer_wheel.h"

namespace signalbox::net {

class AsioLoop final : public Loop {
 public:
  AsioLoop() : io_(1), wake_(io_) {}
  const Clock& clock() const override { return system_clock(); }
  void post(std::move_only_function<void()> fn) override;
  void arm(Timer& timer, Deadline deadline) override;
  void run() override;
  void stop() override { io_.stop(); }
  boost::asio::io_context& io() { return io_; }

 private:
  void schedule(TimePoint when);

  boost::asio::io_context io_;
  boost::asio::steady_timer wake_;
  TimePoint wake_at_ = TimePoint::max();
  TimerWheel wheel_;
};

}  // namespace signalbox::net
