// Bytes from one client, read ahead when asked, so that a client that leaves while its answer is being paced is noticed.
// At most one read is under way; the buffer does not move while it is.
#pragma once

#include <coroutine>
#include <cstddef>
#include <string>
#include <string_view>

#include "net/stream.h"

namespace signalbox::sim {

class Inbox final : private net::IoCompletion {
 public:
  // Told once that the client has left; called from the loop.
  class Watcher {
   public:
    virtual ~Watcher() = default;
    virtual void client_left() = 0;
  };

  explicit Inbox(net::Stream& stream) : stream_(stream) {}
  Inbox(const Inbox&) = delete;
  Inbox& operator=(const Inbox&) = delete;

  std::string_view bytes() const { return std::string_view(buffer_).substr(begin_, end_ - begin_); }
  void consume(std::size_t count) { begin_ += count; }
  bool ended() const { return ended_; }
  // Reads once in the background, if nothing is being read and there is room.
  void read_ahead(Deadline deadline);
  void watch(Watcher* watcher) { watcher_ = watcher; }

  // co_await inbox.more(deadline): true when bytes came, false when the client has left or was too slow.
  struct More {
    Inbox& inbox;
    Deadline deadline;
    bool await_ready() const { return inbox.ended_; }
    void await_suspend(std::coroutine_handle<> handle) {
      inbox.waiting_ = handle;
      inbox.read_ahead(deadline);
    }
    bool await_resume() const { return !inbox.ended_; }
  };
  More more(Deadline deadline) { return More{*this, deadline}; }

  // co_await inbox.stopped(): after the stream was closed, until no read is under way.
  struct Stopped {
    Inbox& inbox;
    bool await_ready() const { return !inbox.reading_; }
    void await_suspend(std::coroutine_handle<> handle) { inbox.waiting_ = handle; }
    void await_resume() const {}
  };
  Stopped stopped() { return Stopped{*this}; }

 private:
  void complete(Result<std::size_t> result) override;
  void expired() override { stream_.cancel(); }

  net::Stream& stream_;
  std::string buffer_;
  std::size_t begin_ = 0;      // first byte not consumed
  std::size_t end_ = 0;        // one past the last byte received
  net::FixedSpace space_{{}};  // of the read under way: the rest of buffer_
  bool reading_ = false;
  bool ended_ = false;
  std::coroutine_handle<> waiting_;
  Watcher* watcher_ = nullptr;
};

}  // namespace signalbox::sim
