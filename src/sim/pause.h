// The two ways in which an answer waits. Both end early when the client leaves. Parts of Connection.
#pragma once

#include "sim/connection.h"

namespace signalbox::sim {

// co_await Pause(...): true when the moment came, false when the client left before. A moment in the past does not wait.
class Connection::Pause final : private net::Timer, private Inbox::Watcher {
 public:
  Pause(net::Loop& loop, Inbox& inbox, Deadline until)
      : loop_(loop), inbox_(inbox), until_(until) {}
  bool await_ready() const { return inbox_.ended() || until_.passed(loop_.now()); }
  void await_suspend(std::coroutine_handle<> handle) {
    waiting_ = handle;
    inbox_.watch(this);
    inbox_.read_ahead(Deadline::none());
    loop_.arm(*this, until_);
  }
  bool await_resume() {
    inbox_.watch(nullptr);
    unlink();
    return !inbox_.ended();
  }

 private:
  void expired() override { waiting_.resume(); }
  void client_left() override { waiting_.resume(); }

  net::Loop& loop_;
  Inbox& inbox_;
  Deadline until_;
  std::coroutine_handle<> waiting_;
};

// co_await StartWait(...): true when the engine gave the sequence a place, false when the client left before.
class Connection::StartWait final : private Inbox::Watcher {
 public:
  StartWait(Connection& connection, const Sequence& sequence)
      : connection_(connection), sequence_(sequence) {}
  bool await_ready() const { return sequence_.running() || connection_.inbox_.ended(); }
  void await_suspend(std::coroutine_handle<> handle) {
    waiting_ = handle;
    connection_.start_wait_ = this;
    connection_.inbox_.watch(this);
    connection_.inbox_.read_ahead(Deadline::none());
  }
  bool await_resume() {
    connection_.inbox_.watch(nullptr);
    connection_.start_wait_ = nullptr;
    return sequence_.running() && !connection_.inbox_.ended();
  }
  void started() { waiting_.resume(); }

 private:
  void client_left() override { waiting_.resume(); }

  Connection& connection_;
  const Sequence& sequence_;
  std::coroutine_handle<> waiting_;
};

}  // namespace signalbox::sim
