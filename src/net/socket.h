// A non-blocking descriptor on a loop, with at most one read and one write waiting. Nothing outside net/ includes this.
//
// What epoll has reported is remembered, and a read that brought less than was asked for counts as "nothing more there",
// so no system call is made that is known to fail. A report of a hang-up keeps the socket readable for good, lest an end
// of stream that came with the last bytes is missed.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "net/epoll_loop.h"
#include "net/stream.h"

namespace signalbox::net {

// IPv4 or IPv6 with port.
struct Endpoint {
  sockaddr_storage storage{};
  socklen_t bytes = 0;
  const sockaddr* address() const { return reinterpret_cast<const sockaddr*>(&storage); }
  int family() const { return storage.ss_family; }
  std::uint16_t port() const;
  // "127.0.0.1", "::1"; an IPv4 address mapped into IPv6 as IPv4. Empty for other families.
  std::string host() const;
};

// Nothing yet (the operation would block), or its outcome.
using Attempt = std::optional<Result<std::size_t>>;

class Socket : public Watcher {
 public:
  // Begins to watch fd, which is non-blocking and, if it is to connect, connecting already.
  Socket(EpollLoop& loop, Fd fd);

  // As Stream::start_read. Without `into`: waits until there is something to read.
  void start_read(ReadSpace* into, Deadline deadline, IoCompletion& completion);
  // As Stream::start_write. No parts: waits until there is room, or a connect has ended.
  void start_write(WriteParts parts, std::size_t done, Deadline deadline, IoCompletion& completion);
  // As much as can be written at once, from byte `done` on; nothing if that is none. Bytes counted from the beginning.
  virtual Attempt try_write(WriteParts parts, std::size_t done);
  void cancel();
  virtual void close();
  // Forgets who waits: they are gone, or go with the stream.
  void forsake();
  bool is_open() const { return static_cast<bool>(fd_); }
  // Something unasked came, or the end.
  virtual bool stale();
  int fd() const { return fd_.get(); }
  EpollLoop& loop() { return loop_; }

  // For the loop.
  void ready(std::uint32_t epoll_events) override;
  bool mark_deferred() { return !std::exchange(deferred_, true); }
  bool is_deferred() const { return deferred_; }
  void run_deferred() {
    deferred_ = false;
    progress();
  }

 protected:
  virtual Attempt try_read(std::span<char> into);
  // Whether a waiting read, or write, has a reason to be tried.
  virtual bool may_read() const { return readable_; }
  virtual bool may_write() const { return writable_; }
  // What recv would find: bytes waiting, 0 at the end of the stream, -1 with errno otherwise.
  ssize_t peek() const;

  bool readable_ = false;
  bool writable_ = false;
  bool hung_up_ = false;

 private:
  struct Reading {
    ReadSpace* into = nullptr;
    IoCompletion* completion = nullptr;
    bool aborted = false;
  };
  struct Writing {
    WriteParts parts;
    std::size_t done = 0;
    IoCompletion* completion = nullptr;
    bool aborted = false;
  };
  bool has_reason(const Reading& reading) const {
    return reading.into == nullptr ? readable_ : may_read();
  }
  bool has_reason(const Writing& writing) const {
    return writing.parts.empty() ? writable_ : may_write();
  }
  void progress();
  Attempt read_on();
  Attempt write_on();
  void abort();

  EpollLoop& loop_;
  Fd fd_;
  Reading reading_;
  Writing writing_;
  bool deferred_ = false;
};

// Leaves the socket to its loop, which frees it when it is safe.
struct Retire {
  void operator()(Socket* socket) const;
};
using SocketPtr = std::unique_ptr<Socket, Retire>;
inline SocketPtr owned(std::unique_ptr<Socket> socket) { return SocketPtr(socket.release()); }

// Waits in a coroutine: co_await SocketWait(socket, SocketWait::kWritable, deadline) -> Result<size_t>.
class SocketWait final : public IoCompletion {
 public:
  enum Event { kReadable, kWritable };
  SocketWait(Socket& socket, Event event, Deadline deadline)
      : socket_(socket), event_(event), deadline_(deadline) {}
  bool await_ready() const { return false; }
  void await_suspend(std::coroutine_handle<> handle);
  // Errors: kCancelled (cancel() or close()), kUpstreamTimeout.
  Result<void> await_resume();
  void complete(Result<std::size_t> result) override;
  void expired() override;

 private:
  Socket& socket_;
  Event event_;
  Deadline deadline_;
  std::coroutine_handle<> waiting_;
  Result<std::size_t> result_{0};
  bool timed_out_ = false;
};

// Switches Nagle's delay off.
std::unique_ptr<Stream> make_stream(SocketPtr socket);

// "Connection refused" and the like.
std::string error_text(int error_number);

}  // namespace signalbox::net
