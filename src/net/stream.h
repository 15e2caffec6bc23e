// Stream: a connected byte stream (TCP, TLS, or simulated). One read and one write may be under way at once. Bodies are
// pulled, so back-pressure is free. No operation throws; a failed stream stays failed and can only be closed.
#pragma once

#include <coroutine>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/error.h"
#include "net/loop.h"
#include "net/task.h"

namespace signalbox::net {

// End of an operation that had to wait. Base of the awaiters and of Stream users that cannot co_await (read-ahead).
class IoCompletion : public Timer {
 public:
  // Bytes moved, or why not. Reads: 0 bytes is the orderly end of the stream. Errors: kIo (reset, broken pipe),
  // kCancelled (cancel() or close()), kRequestTimeout (the deadline passed).
  virtual void complete(Result<std::size_t> result) = 0;
};

// Parts of one write; at most kWritePartsMax of them, written as if concatenated (one sendmsg).
inline constexpr std::size_t kWritePartsMax = 8;
using WriteParts = std::span<const std::string_view>;

// Where a read puts its bytes. Asked when they are there, so that a stream that waits holds no memory for them.
class ReadSpace {
 public:
  // Where the next bytes go: never empty, and in place until the read has completed.
  virtual std::span<char> room() = 0;
  // The read has to wait: what holds no unread bytes may be given back.
  virtual void release() = 0;

 protected:
  ~ReadSpace() = default;
};

// Memory that is there whether the read waits or not.
class FixedSpace final : public ReadSpace {
 public:
  explicit FixedSpace(std::span<char> bytes) : bytes_(bytes) {}
  std::span<char> room() override { return bytes_; }
  void release() override {}

 private:
  std::span<char> bytes_;
};

class Stream {
 public:
  virtual ~Stream() = default;

  // Low level, for awaiters. start_read: completes later, never inside the call; `into` lives until then. try_write:
  // writes what fits now and returns the number of bytes, or an error; start_write: writes all parts, skipping the first
  // `done` bytes; the views must stay valid until completion.
  virtual void start_read(ReadSpace& into, Deadline deadline, IoCompletion& completion) = 0;
  virtual Result<std::size_t> try_write(WriteParts parts) = 0;
  virtual void start_write(WriteParts parts, std::size_t done, Deadline deadline,
                           IoCompletion& completion) = 0;
  // Pending operations complete with kCancelled, soon (not inside the call). The stream stays open.
  virtual void cancel() = 0;
  // Closes at once; idempotent.
  virtual void close() = 0;
  virtual bool is_open() const = 0;
  // True when the peer has closed or sent unexpected bytes: an idle pooled connection that must not be reused.
  virtual bool stale() = 0;
  // "127.0.0.1" or "::1" of the peer; empty if unknown.
  virtual std::string peer_address() const = 0;

  class ReadAwaiter final : public IoCompletion {
   public:
    ReadAwaiter(Stream& stream, ReadSpace& into, Deadline deadline)
        : stream_(stream), into_(&into), fixed_({}), deadline_(deadline) {}
    ReadAwaiter(Stream& stream, std::span<char> into, Deadline deadline)
        : stream_(stream), fixed_(into), deadline_(deadline) {}
    bool await_ready() const { return false; }
    void await_suspend(std::coroutine_handle<> handle) {
      waiting_ = handle;
      stream_.start_read(into_ != nullptr ? *into_ : fixed_, deadline_, *this);
    }
    Result<std::size_t> await_resume() {
      if (timed_out_ && !result_) return fail(Code::kRequestTimeout, "timed out");
      return std::move(result_);
    }
    void complete(Result<std::size_t> result) override {
      result_ = std::move(result);
      waiting_.resume();
    }
    void expired() override {
      timed_out_ = true;
      stream_.cancel();
    }

   private:
    Stream& stream_;
    ReadSpace* into_ = nullptr;  // else fixed_
    FixedSpace fixed_;
    Deadline deadline_;
    std::coroutine_handle<> waiting_;
    Result<std::size_t> result_{0};
    bool timed_out_ = false;
  };
  // co_await stream.read_some(buffer, deadline) -> Result<size_t>; 0 is end of stream.
  ReadAwaiter read_some(ReadSpace& into, Deadline deadline) {
    return ReadAwaiter(*this, into, deadline);
  }
  ReadAwaiter read_some(std::span<char> into, Deadline deadline) {
    return ReadAwaiter(*this, into, deadline);
  }

  class WriteAwaiter final : public IoCompletion {
   public:
    WriteAwaiter(Stream& stream, WriteParts parts, Deadline deadline)
        : stream_(stream), parts_(parts), deadline_(deadline) {}
    bool await_ready() {
      result_ = stream_.try_write(parts_);
      std::size_t total = 0;
      for (const auto part : parts_) total += part.size();
      return !result_ || *result_ == total;
    }
    void await_suspend(std::coroutine_handle<> handle) {
      waiting_ = handle;
      stream_.start_write(parts_, *result_, deadline_, *this);
    }
    Result<std::size_t> await_resume() {
      if (timed_out_ && !result_) return fail(Code::kRequestTimeout, "timed out");
      return std::move(result_);
    }
    void complete(Result<std::size_t> result) override {
      result_ = std::move(result);
      waiting_.resume();
    }
    void expired() override {
      timed_out_ = true;
      stream_.cancel();
    }

   private:
    Stream& stream_;
    WriteParts parts_;
    Deadline deadline_;
    std::coroutine_handle<> waiting_;
    Result<std::size_t> result_{0};
    bool timed_out_ = false;
  };
  // co_await stream.write_all(parts, deadline) -> Result<size_t>. Tried at once; waits only when the socket is full.
  // The span and the bytes must outlive the await.
  WriteAwaiter write_all(WriteParts parts, Deadline deadline) {
    return WriteAwaiter(*this, parts, deadline);
  }
};

}  // namespace signalbox::net
