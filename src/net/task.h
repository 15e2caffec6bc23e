// Task<T>: a lazy coroutine, started by co_await, finished before its owner is destroyed. Single-threaded: a task lives
// on the loop that started it. Exceptions never cross a task (they abort): failure is a Result.
//
// A child that finishes without waiting returns control to its parent by a plain return, not by another resume, so a
// loop over operations that complete at once uses no stack. Frames come from a per-thread free list (frame_pool).
//
// Rules (Seastar's lambda-coroutine trap): coroutines are free or member functions; parameters are taken by value or
// are owned by an awaiting frame; no capturing lambda is a coroutine. g++ 12: never put a braced aggregate temporary that
// holds a std::string into a co_await expression (it is copied bytewise); name it first or give the type a constructor.
#pragma once

#include <coroutine>
#include <cstddef>
#include <exception>
#include <optional>
#include <utility>

#include "base/assert.h"

namespace signalbox::net {

// Memory for coroutine frames by size class, per thread, bounded. Plain malloc under AddressSanitizer.
void* allocate_frame(std::size_t size);
void release_frame(void* frame, std::size_t size) noexcept;

template <class T>
class Task;

namespace detail {

class PromiseBase {
 public:
  static void* operator new(std::size_t size) { return allocate_frame(size); }
  static void operator delete(void* frame, std::size_t size) noexcept {
    release_frame(frame, size);
  }

  std::suspend_always initial_suspend() noexcept { return {}; }

  struct FinalAwaiter {
    bool await_ready() noexcept { return false; }
    template <class Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> self) noexcept {
      PromiseBase& promise = self.promise();
      promise.finished_ = true;
      // While the parent is still inside its await_suspend it will see finished_ and go on by itself.
      if (promise.starting_ || !promise.continuation_) return std::noop_coroutine();
      return promise.continuation_;
    }
    void await_resume() noexcept {}
  };
  FinalAwaiter final_suspend() noexcept { return {}; }
  void unhandled_exception() noexcept { std::terminate(); }

  bool finished_ = false;
  bool starting_ = false;
  std::coroutine_handle<> continuation_;
};

template <class T>
class Promise : public PromiseBase {
 public:
  Task<T> get_return_object() noexcept;
  template <class U>
  void return_value(U&& value) {
    value_.emplace(std::forward<U>(value));
  }
  T take() { return std::move(*value_); }

 private:
  std::optional<T> value_;
};

template <>
class Promise<void> : public PromiseBase {
 public:
  Task<void> get_return_object() noexcept;
  void return_void() noexcept {}
  void take() {}
};

}  // namespace detail

template <class T = void>
class [[nodiscard]] Task {
 public:
  using promise_type = detail::Promise<T>;
  using Handle = std::coroutine_handle<promise_type>;

  Task() = default;
  explicit Task(Handle handle) : handle_(handle) {}
  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, {})) {}
  Task& operator=(Task&& other) noexcept {
    if (this != &other) {
      if (handle_) handle_.destroy();
      handle_ = std::exchange(other.handle_, {});
    }
    return *this;
  }
  ~Task() {
    if (handle_) handle_.destroy();
  }

  struct Awaiter {
    Handle child;
    bool await_ready() noexcept { return false; }
    bool await_suspend(std::coroutine_handle<> parent) {
      auto& promise = child.promise();
      promise.continuation_ = parent;
      promise.starting_ = true;
      child.resume();
      promise.starting_ = false;
      return !promise.finished_;
    }
    T await_resume() { return child.promise().take(); }
  };
  Awaiter operator co_await() && noexcept {
    SBX_ASSERT(handle_);
    return Awaiter{handle_};
  }

  // For TaskGroup only: start without a parent.
  Handle release() { return std::exchange(handle_, {}); }

 private:
  Handle handle_;
};

namespace detail {
template <class T>
Task<T> Promise<T>::get_return_object() noexcept {
  return Task<T>(std::coroutine_handle<Promise>::from_promise(*this));
}
inline Task<void> Promise<void>::get_return_object() noexcept {
  return Task<void>(std::coroutine_handle<Promise>::from_promise(*this));
}
}  // namespace detail

}  // namespace signalbox::net
