// Streams without sockets. A Pipe is two byte channels; each end can be a Stream for the code under test or a FakePeer
// that a test scripts: what reads find and where they are cut, pauses in virtual time, the end, errors; and what was
// written, write by write. Single-threaded, on one ManualLoop.
#pragma once

#include <cstddef>
#include <deque>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/random.h"
#include "net/loop.h"
#include "net/stream.h"

namespace signalbox::net_testing {

// Bytes in one direction. A read never crosses the border between two pieces.
class Channel : public std::enable_shared_from_this<Channel> {
 public:
  explicit Channel(net::Loop& loop)
      : loop_(loop), arrival_(*this), reader_(*this), writer_(*this) {}

  // Writing side. `delay` is counted from the arrival of what was pushed before.
  void push(std::string bytes, Duration delay = {});
  void end(Duration delay = {});
  void fail(Code code, Duration delay = {});
  // Bytes that may be under way before writers have to wait; back-pressure.
  void set_capacity(std::size_t bytes);
  std::size_t room() const;
  // Reads return at most so many bytes; `random` makes that a bound of random sizes (simulation).
  void set_read_bytes_max(std::size_t bytes, Random* random = nullptr);
  // The reading side is gone: writes fail from now on.
  void close_reader();
  bool reader_closed() const { return reader_closed_; }

  bool readable() const { return !items_.empty() && items_.front().at <= loop_.now(); }
  void start_read(net::ReadSpace& into, net::IoCompletion& completion);
  void start_write(std::string rest, std::size_t total, net::IoCompletion& completion);
  void cancel_read();
  void cancel_write();
  // Everything that was written, write by write.
  const std::vector<std::string>& writes() const { return writes_; }
  void record(std::string bytes) { writes_.push_back(std::move(bytes)); }
  // Takes all bytes that have arrived, as a reader would.
  std::string drain();

 private:
  struct Item {
    TimePoint at;
    std::string bytes;
    std::optional<Code> error;
    bool end = false;
  };
  struct Arrival final : net::Timer {
    explicit Arrival(Channel& owner) : channel(owner) {}
    void expired() override { channel.wake(); }
    Channel& channel;
  };
  // One waiting operation; its completion is posted, never called inside.
  struct Waiting {
    explicit Waiting(Channel& owner) : channel(owner) {}
    Channel& channel;
    net::IoCompletion* completion = nullptr;
    bool posted = false;
    bool cancelled = false;
  };
  void add(Item item, Duration delay);
  void wake();  // lets the reader look again, when something has arrived
  void post_read();
  void post_write();
  void deliver_read();
  void deliver_write();
  Result<std::size_t> read_now();

  net::Loop& loop_;
  std::deque<Item> items_;
  Arrival arrival_;
  Waiting reader_;
  Waiting writer_;
  net::ReadSpace* into_ = nullptr;
  std::string rest_;  // of the waiting write
  std::size_t write_total_ = 0;
  std::size_t capacity_ = std::numeric_limits<std::size_t>::max();
  std::size_t read_bytes_max_ = std::numeric_limits<std::size_t>::max();
  Random* random_ = nullptr;
  bool reader_closed_ = false;
  std::vector<std::string> writes_;
};

class FakeStream final : public net::Stream {
 public:
  FakeStream(net::Loop& loop, std::shared_ptr<Channel> in, std::shared_ptr<Channel> out)
      : loop_(loop), in_(std::move(in)), out_(std::move(out)) {}
  ~FakeStream() override { close(); }
  void start_read(net::ReadSpace& into, Deadline deadline, net::IoCompletion& completion) override;
  Result<std::size_t> try_write(net::WriteParts parts) override;
  void start_write(net::WriteParts parts, std::size_t done, Deadline deadline,
                   net::IoCompletion& completion) override;
  void cancel() override;
  void close() override;
  bool is_open() const override { return open_; }
  bool stale() override { return !open_ || in_->readable(); }
  std::string peer_address() const override { return "127.0.0.1"; }

 private:
  net::Loop& loop_;
  std::shared_ptr<Channel> in_;
  std::shared_ptr<Channel> out_;
  bool open_ = true;
};

// The other end of a FakeStream, in a test's hand. Copies share the connection; it outlives the stream.
class FakePeer {
 public:
  FakePeer(std::shared_ptr<Channel> to_stream, std::shared_ptr<Channel> from_stream)
      : to_stream_(std::move(to_stream)), from_stream_(std::move(from_stream)) {}

  // What the stream will read: one piece, cut at the given offsets, or byte by byte.
  void send(std::string bytes, Duration delay = {}) { to_stream_->push(std::move(bytes), delay); }
  void send_cut(std::string_view bytes, const std::vector<std::size_t>& cuts);
  void send_bytewise(std::string_view bytes);
  void finish(Duration delay = {}) { to_stream_->end(delay); }
  void reset(Duration delay = {}) { to_stream_->fail(Code::kIo, delay); }

  // What was written to the stream, in total and write by write.
  std::string received() const;
  const std::vector<std::string>& writes() const { return from_stream_->writes(); }
  // True once the stream was closed from its side.
  bool closed() const { return to_stream_->reader_closed(); }
  // Writes wait when so many bytes are under way; accept() takes them off.
  void set_window(std::size_t bytes) { from_stream_->set_capacity(bytes); }
  std::string accept() { return from_stream_->drain(); }
  // Writes of the stream fail as if the connection had been reset.
  void refuse_writes() { from_stream_->close_reader(); }

 private:
  std::shared_ptr<Channel> to_stream_;
  std::shared_ptr<Channel> from_stream_;
};

// A stream for the code under test, and the end that the test scripts.
std::pair<std::unique_ptr<FakeStream>, FakePeer> make_fake_stream(net::Loop& loop);
// Two streams connected to one another.
std::pair<std::unique_ptr<FakeStream>, std::unique_ptr<FakeStream>> make_stream_pair(
    net::Loop& loop);

}  // namespace signalbox::net_testing
