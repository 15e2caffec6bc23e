// The production loop: epoll, edge-triggered, each descriptor registered once. Nothing outside net/ includes this.
//
// Why not Asio: docs/decisions/0006-own-reactor.md. What runs in one turn, in this order: functions posted, sockets that
// have something to go on with, timers that are due, then what epoll reports.
#pragma once

#include <sys/epoll.h>
#include <sys/types.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "net/loop.h"
#include "net/timer_wheel.h"

namespace signalbox::net {

// A descriptor that is closed with its owner.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) {
      reset();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  ~Fd() { reset(); }
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  void reset();

 private:
  int fd_ = -1;
};

// Who is told what epoll reports about a descriptor.
class Watcher {
 public:
  virtual ~Watcher() = default;
  virtual void ready(std::uint32_t epoll_events) = 0;
};

class Socket;

class EpollLoop final : public Loop {
 public:
  EpollLoop();
  ~EpollLoop() override;
  const Clock& clock() const override { return system_clock(); }
  const Clock& event_clock() const override { return event_clock_; }
  void post(std::move_only_function<void()> fn) override;
  void run_or_post(std::move_only_function<void()> fn) override;
  void allow_turns() override { allows_turns_ = true; }
  void arm(Timer& timer, Deadline deadline) override;
  void run() override;
  void stop() override;

  // Reports `epoll_events` of fd to the watcher until unwatch() or until fd is closed. Before a watcher dies, forget() it:
  // an event of the batch under way may name it.
  void watch(int fd, std::uint32_t epoll_events, Watcher& watcher);
  void unwatch(int fd);
  void forget(const Watcher& watcher);
  // Calls socket.progress() in the next turn, once.
  void defer(Socket& socket);
  // Frees the socket when nothing on the stack or in a list can name it any more: at the end of a turn.
  void retire(std::unique_ptr<Socket> socket);

 private:
  // Wakes the loop from another thread.
  struct Wakeup final : Watcher {
    void ready(std::uint32_t epoll_events) override;
    Fd event;
  };
  // Between events it is the system's clock. May be asked from other threads, like that.
  class EventClock final : public Clock {
   public:
    TimePoint now() const override {
      const TimePoint begun = begun_.load(std::memory_order_relaxed);
      return begun == kNone ? system_clock().now() : begun;
    }
    std::chrono::nanoseconds unix_time() const override { return system_clock().unix_time(); }
    void event_begins() { begun_.store(system_clock().now(), std::memory_order_relaxed); }
    void events_are_over() { begun_.store(kNone, std::memory_order_relaxed); }

   private:
    static constexpr TimePoint kNone{};
    std::atomic<TimePoint> begun_ = kNone;
  };
  static constexpr std::size_t kEventsMax = 256;

  void wake();
  // True when it is the first that waits, so that somebody must be told.
  bool add_posted(std::move_only_function<void()> fn);
  bool is_mine() const {
    return thread_.load(std::memory_order_relaxed) == std::this_thread::get_id();
  }
  void begin_turn();
  void end_turn();
  void sleep(int milliseconds);
  void run_posted();
  void run_deferred();
  void run_timers();
  void free_retired();
  bool has_more_to_do();
  int wait_milliseconds();
  void wait_for_events();

  Fd epoll_;
  Wakeup wakeup_;
  std::array<epoll_event, kEventsMax> events_;
  std::size_t events_count_ = 0;  // of the batch under way
  std::size_t events_next_ = 0;
  EventClock event_clock_;
  TimerWheel wheel_;
  TimePoint wake_at_ = TimePoint::max();
  std::vector<Socket*> deferred_;
  std::vector<Socket*> deferred_now_;
  std::vector<std::unique_ptr<Socket>> retired_;
  std::vector<std::move_only_function<void()>> posted_now_;
  std::mutex mutex_;
  std::vector<std::move_only_function<void()>> posted_;  // under mutex_
  bool allows_turns_ = false;
  // Held by whoever runs the loop's work, where threads take turns; guards everything else but posted_.
  std::mutex turn_;
  bool asleep_ = false;                  // the loop's own thread sleeps, and has let go of turn_
  TimePoint asleep_until_{};             // then
  std::atomic<std::thread::id> thread_;  // that runs the loop at present
  std::atomic<bool> stopping_ = false;
};

// The loop that make_loop() made; any other is a mistake of the caller.
EpollLoop& as_epoll(Loop& loop);

}  // namespace signalbox::net
