// Deadlines of one loop: a hashed wheel with 20 ms buckets. Arming and unlinking are O(1), which matters because nearly
// every deadline is taken back before it passes. Not thread-safe: one loop, one thread.
#pragma once

#include <array>
#include <cstddef>

#include "net/loop.h"

namespace signalbox::net {

class TimerWheel {
 public:
  TimerWheel();
  TimerWheel(const TimerWheel&) = delete;
  TimerWheel& operator=(const TimerWheel&) = delete;
  ~TimerWheel();

  // Arms or moves a timer. Returns when the wheel wants advance() to be called for it.
  TimePoint arm(Timer& timer, TimePoint when);
  // Fires everything due at `now`, earliest bucket first. Fired timers may arm and unlink any timer.
  void advance(TimePoint now);
  // The next moment at which advance() has something to look at; TimePoint::max() when empty. O(buckets).
  TimePoint next() const;

 private:
  static constexpr std::size_t kBuckets = 1024;
  static constexpr Duration kTick = std::chrono::milliseconds(20);
  struct Bucket final : Timer {
    void expired() override {}
  };
  static std::int64_t tick_of(TimePoint time) { return time.time_since_epoch() / kTick; }
  static void insert(Bucket& bucket, Timer& timer);
  static void reset(Timer& head);
  void fire(Bucket& bucket, TimePoint now);

  std::array<Bucket, kBuckets> buckets_;
  std::int64_t current_tick_ = 0;  // every earlier bucket has been looked at
};

}  // namespace signalbox::net
