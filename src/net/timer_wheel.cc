#include "net/timer_wheel.h"

#include <algorithm>

namespace signalbox::net {

void Timer::unlink() {
  if (next_ == nullptr) return;
  previous_->next_ = next_;
  next_->previous_ = previous_;
  next_ = previous_ = nullptr;
}

void TimerWheel::reset(Timer& head) { head.next_ = head.previous_ = &head; }

TimerWheel::TimerWheel() {
  for (auto& bucket : buckets_) reset(bucket);
}

TimerWheel::~TimerWheel() {
  for (auto& bucket : buckets_) {
    while (bucket.next_ != &bucket) bucket.next_->unlink();
    bucket.unlink();
  }
}

void TimerWheel::insert(Bucket& bucket, Timer& timer) {
  timer.previous_ = bucket.previous_;
  timer.next_ = &bucket;
  bucket.previous_->next_ = &timer;
  bucket.previous_ = &timer;
}

TimePoint TimerWheel::arm(Timer& timer, TimePoint when) {
  timer.unlink();
  timer.when_ = when;
  // One tick later than its own, so that a timer never fires early within its bucket.
  const std::int64_t tick = std::max(tick_of(when) + 1, current_tick_ + 1);
  insert(buckets_[static_cast<std::size_t>(tick) % kBuckets], timer);
  return TimePoint(kTick * tick);
}

void TimerWheel::fire(Bucket& bucket, TimePoint now) {
  // Detach the list first: expired() may arm timers into this very bucket.
  Bucket pending;
  reset(pending);
  if (bucket.next_ != &bucket) {
    pending.next_ = bucket.next_;
    pending.previous_ = bucket.previous_;
    pending.next_->previous_ = &pending;
    pending.previous_->next_ = &pending;
    reset(bucket);
  }
  while (pending.next_ != &pending) {
    Timer& timer = *pending.next_;
    timer.unlink();
    if (timer.when_ <= now) {
      timer.expired();
    } else {
      insert(bucket, timer);
    }
  }
  pending.unlink();
}

void TimerWheel::advance(TimePoint now) {
  const std::int64_t target = tick_of(now);
  // After a pause longer than one revolution every bucket is looked at once.
  std::int64_t tick = std::max(current_tick_ + 1, target - static_cast<std::int64_t>(kBuckets) + 1);
  for (; tick <= target; ++tick) {
    current_tick_ = tick;
    fire(buckets_[static_cast<std::size_t>(tick) % kBuckets], now);
  }
  current_tick_ = std::max(current_tick_, target);
}

TimePoint TimerWheel::next() const {
  for (std::int64_t tick = current_tick_ + 1;
       tick <= current_tick_ + static_cast<std::int64_t>(kBuckets); ++tick) {
    const Bucket& bucket = buckets_[static_cast<std::size_t>(tick) % kBuckets];
    if (bucket.next_ != &bucket) return TimePoint(kTick * tick);
  }
  return TimePoint::max();
}

}  // namespace signalbox::net
