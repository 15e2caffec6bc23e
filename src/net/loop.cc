#include "net/loop.h"

#include <utility>

namespace signalbox::net {

struct TaskGroup::Detached {
  struct promise_type {
    static void* operator new(std::size_t size) { return allocate_frame(size); }
    static void operator delete(void* frame, std::size_t size) noexcept {
      release_frame(frame, size);
    }
    Detached get_return_object() noexcept { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() noexcept {}
    void unhandled_exception() noexcept { std::terminate(); }
  };
};

TaskGroup::~TaskGroup() { SBX_ASSERT(running_ == 0); }

TaskGroup::Detached TaskGroup::run(Task<void> task) {
  co_await std::move(task);
  task = {};  // the frame goes before the group is told that it is gone
  finished();
}

void TaskGroup::spawn(Task<void> task) {
  ++running_;
  run(std::move(task));
}

void TaskGroup::finished() {
  if (--running_ > 0) return;
  // Posted, so that the joiner never runs inside the frame that is ending.
  if (auto handle = std::exchange(joiner_, {})) {
    loop_.post([handle] { handle.resume(); });
  }
}

Task<void> TaskGroup::join() {
  struct Awaiter {
    TaskGroup& group;
    bool await_ready() const { return group.running_ == 0; }
    void await_suspend(std::coroutine_handle<> handle) {
      SBX_ASSERT(!group.joiner_);
      group.joiner_ = handle;
    }
    void await_resume() const {}
  };
  co_await Awaiter{*this};
}

Cancellation::Registration::Registration(Cancellation& source, std::function<void()> fn)
    : fn_(std::move(fn)) {
  if (source.cancelled_) {
    fn_();
    return;
  }
  source_ = &source;
  next_ = source.first_;
  if (next_ != nullptr) next_->previous_ = this;
  source.first_ = this;
}

Cancellation::Registration::~Registration() {
  if (source_ == nullptr) return;
  if (previous_ != nullptr) {
    previous_->next_ = next_;
  } else {
    source_->first_ = next_;
  }
  if (next_ != nullptr) next_->previous_ = previous_;
}

Cancellation::~Cancellation() {
  if (destroyed_ != nullptr) *destroyed_ = true;
  for (Registration* at = first_; at != nullptr; at = at->next_) at->source_ = nullptr;
}

void Cancellation::cancel() {
  if (std::exchange(cancelled_, true)) return;
  // A callback may end the very work that owns this source, its registration included.
  bool destroyed = false;
  destroyed_ = &destroyed;
  while (Registration* registration = first_) {
    first_ = registration->next_;
    if (first_ != nullptr) first_->previous_ = nullptr;
    registration->source_ = nullptr;
    registration->next_ = registration->previous_ = nullptr;
    const auto fn = std::move(registration->fn_);
    fn();
    if (destroyed) return;
  }
  destroyed_ = nullptr;
}

}  // namespace signalbox::net
