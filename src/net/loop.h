// Loop: the event loop of one core. Everything a connection touches runs on its loop's thread, one thing at a time. The
// production loop is epoll's (make_loop); a simulation supplies its own with virtual time and a seeded network.
#pragma once

#include <coroutine>
#include <functional>
#include <memory>

#include "base/clock.h"
#include "base/error.h"
#include "net/task.h"

namespace signalbox::net {

// A deadline waiting in a loop. Owned by whoever waits (usually an awaiter in a coroutine frame); removes itself.
class Timer {
 public:
  Timer() = default;
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  virtual ~Timer() { unlink(); }
  // Called on the loop's thread, at most 25 ms after the deadline; the timer is unlinked before.
  virtual void expired() = 0;
  bool armed() const { return next_ != nullptr; }
  void unlink();

 private:
  friend class TimerWheel;
  Timer* next_ = nullptr;
  Timer* previous_ = nullptr;
  TimePoint when_{};
};

class Loop {
 public:
  virtual ~Loop() = default;
  virtual const Clock& clock() const = 0;
  // Its now() is when the event under way began: asked often it costs nothing, and what one event does takes no time by it.
  // For deadlines and for times between events; what may compute for long within one is timed by clock().
  virtual const Clock& event_clock() const { return clock(); }
  TimePoint now() const { return event_clock().now(); }
  // Runs fn on the loop's thread, later; from any thread.
  virtual void post(std::move_only_function<void()> fn) = 0;
  // Runs fn at once on the calling thread if the loop sleeps and allows that, in a turn of the loop: nothing else of the
  // loop runs meanwhile. Otherwise as post(). Spares two switches between threads; for threads that may be kept.
  virtual void run_or_post(std::move_only_function<void()> fn) { post(std::move(fn)); }
  // Before run(): lets other threads take turns while the loop sleeps. Costs the loop a system call each time it sleeps.
  virtual void allow_turns() {}
  // Arms a timer; only from the loop's thread. Re-arming moves it.
  virtual void arm(Timer& timer, Deadline deadline) = 0;
  // Runs until stop(); on the calling thread, which becomes the loop's thread.
  virtual void run() = 0;
  virtual void stop() = 0;  // from any thread

  struct SleepAwaiter final : Timer {
    Loop& loop;
    Deadline deadline;
    std::coroutine_handle<> waiting;
    SleepAwaiter(Loop& owner, Deadline until) : loop(owner), deadline(until) {}
    bool await_ready() const { return deadline.passed(loop.now()); }
    void await_suspend(std::coroutine_handle<> handle) {
      waiting = handle;
      loop.arm(*this, deadline);
    }
    void await_resume() const {}
    void expired() override { waiting.resume(); }
  };
  // co_await loop.sleep_until(...): for pauses of back-off and schedules, never to synchronise.
  SleepAwaiter sleep_until(Deadline deadline) { return SleepAwaiter(*this, deadline); }
  SleepAwaiter sleep(Duration wait) { return SleepAwaiter(*this, Deadline::after(now(), wait)); }
};

std::unique_ptr<Loop> make_loop();

// Tasks without a parent, counted. close() waits for all of them: structured shutdown.
class TaskGroup {
 public:
  explicit TaskGroup(Loop& loop) : loop_(loop) {}
  ~TaskGroup();  // must be empty
  // Starts the task at once on the calling (loop's) thread.
  void spawn(Task<void> task);
  std::size_t size() const { return running_; }
  // Resumes when the last task has finished. One waiter at a time.
  Task<void> join();

 private:
  struct Detached;
  Detached run(Task<void> task);
  void finished();
  Loop& loop_;
  std::size_t running_ = 0;
  std::coroutine_handle<> joiner_;
};

// Someone wants the work stopped (client gone, drain). Single-threaded, callbacks run inside cancel().
class Cancellation {
 public:
  // Runs fn when cancelled, until the registration dies. Registering on a cancelled source calls fn at once.
  class Registration {
   public:
    Registration() = default;
    Registration(Cancellation& source, std::function<void()> fn);
    Registration(const Registration&) = delete;
    Registration& operator=(const Registration&) = delete;
    ~Registration();

   private:
    friend class Cancellation;
    Cancellation* source_ = nullptr;
    Registration* next_ = nullptr;
    Registration* previous_ = nullptr;
    std::function<void()> fn_;
  };
  Cancellation() = default;
  Cancellation(const Cancellation&) = delete;
  Cancellation& operator=(const Cancellation&) = delete;
  ~Cancellation();
  void cancel();
  bool cancelled() const { return cancelled_; }

 private:
  Registration* first_ = nullptr;
  bool cancelled_ = false;
  bool* destroyed_ = nullptr;  // of the cancel() under way
};

// A value that another thread (a compute pool) delivers once; `co_await one_shot.wait(deadline)` on the loop that made it.
// Copies share one state, so a producer may outlive a waiter that has given up.
template <class T>
class OneShot {
 public:
  explicit OneShot(Loop& loop) : state_(std::make_shared<State>(loop)) {}
  // From any thread; the first value wins, later ones are dropped.
  void set(T value) const {
    state_->loop.post(
        [state = state_, value = std::move(value)]() mutable { state->deliver(std::move(value)); });
  }
  // Resumes with the value, or with nothing when the deadline passes first.
  Task<std::optional<T>> wait(Deadline deadline) const {
    auto state = state_;
    if (!state->value) co_await Waiter(*state, deadline);
    if (!state->value) {
      state->abandoned = true;
      co_return std::nullopt;
    }
    co_return std::move(*state->value);
  }

 private:
  struct State {
    explicit State(Loop& owner) : loop(owner) {}
    void deliver(T delivered) {
      if (value || abandoned) return;
      value.emplace(std::move(delivered));
      if (auto handle = std::exchange(waiting, {})) handle.resume();
    }
    Loop& loop;
    std::optional<T> value;
    bool abandoned = false;
    std::coroutine_handle<> waiting;
  };
  struct Waiter final : Timer {
    State& state;
    Deadline deadline;
    Waiter(State& shared, Deadline until) : state(shared), deadline(until) {}
    bool await_ready() const { return state.value.has_value(); }
    void await_suspend(std::coroutine_handle<> handle) {
      state.waiting = handle;
      state.loop.arm(*this, deadline);
    }
    void await_resume() { this->unlink(); }
    void expired() override {
      if (auto handle = std::exchange(state.waiting, {})) handle.resume();
    }
  };
  std::shared_ptr<State> state_;
};

}  // namespace signalbox::net
