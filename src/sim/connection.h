// One client connection of a simulated engine: reads a request, answers it (well or, when ordered, badly), and so on
// until one side closes. A coroutine per connection, on the engine's loop.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "net/loop.h"
#include "net/stream.h"
#include "net/task.h"
#include "sim/ask.h"
#include "sim/faults.h"
#include "sim/inbox.h"
#include "sim/state.h"
#include "sim/wire.h"

namespace signalbox::sim {

class Connection {
 public:
  Connection(State& state, std::unique_ptr<net::Stream> stream);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Until the connection is over.
  net::Task<void> run();
  // Closes the connection; run() then ends soon.
  void close() { stream_->close(); }

 private:
  // Waits for a moment or for the client to leave, whichever comes first. Yields true for the moment.
  class Pause;
  // Waits for a place in the engine, or for the client to leave.
  class StartWait;

  // Everything that is known about the answer under way.
  struct Generation {
    Ask ask;
    Answer answer;
    TimePoint first_token_at;
    Duration gap{};
    TimePoint due(std::size_t token) const {
      return first_token_at + gap * static_cast<std::int64_t>(token);
    }
  };

  net::Task<bool> read_request();
  net::Task<std::optional<http::RequestHead>> read_head();
  net::Task<bool> read_body(const http::RequestHead& head, std::string* body);
  // All return whether the connection can go on.
  net::Task<bool> answer();
  net::Task<bool> generate(Dialect dialect);
  net::Task<bool> admit(Sequence& sequence, const Generation& generation);
  net::Task<bool> send_whole(const Wire& wire, const Generation& generation);
  net::Task<bool> send_stream(Wire& wire, const Generation& generation);
  net::Task<bool> send_plain(Plain plain);
  net::Task<bool> misbehave_early();
  // Sends out_, of which the last `body_bytes` are body, as far as x-sim-cut-after-bytes allows.
  net::Task<bool> flush(std::size_t body_bytes);

  void append_head(int status, std::string_view content_type, std::optional<std::size_t> length);
  // Puts `payload` into out_, as a chunk where the answer is chunked.
  void append_payload(std::string_view payload);
  Generation plan(Ask ask);
  std::string kept_blocks(const Generation& generation) const;
  void record(const Generation& generation, const Sequence& sequence);
  void place_free();

  State& state_;
  std::unique_ptr<net::Stream> stream_;
  Inbox inbox_;
  std::shared_ptr<Request> request_;
  Faults faults_;
  bool keep_alive_ = true;
  bool chunked_ = false;
  std::uint64_t body_sent_ = 0;
  std::string out_;
  std::size_t payload_end_ = 0;  // in out_, one past the last byte of body
  std::string payload_;
  StartWait* start_wait_ = nullptr;
  // Outlives the connection in callbacks that the loop still holds.
  std::shared_ptr<Connection*> self_;
};

}  // namespace signalbox::sim
