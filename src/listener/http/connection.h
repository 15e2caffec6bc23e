// One client connection from accept to close: read a head, read the body, hand over, answer, again. While a request is
// being answered the next read of the client is already under way: that is how a client that goes away is noticed at
// once, at no extra system call (a pipelined request is simply kept for its turn).
#pragma once

#include <coroutine>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/random.h"
#include "http/message_writer.h"
#include "http/read_buffer.h"
#include "http/request_head.h"
#include "listener/http/client_request.h"
#include "listener/http/handler.h"
#include "listener/http/trust.h"
#include "net/loop.h"
#include "net/stream.h"

namespace signalbox::listener {

// Settings a connection reads at the start of each request, so that a reload reaches open connections.
struct ConnectionSettings {
  std::uint64_t body_bytes_max = limits::kBodyBytesMax;
  Duration head_timeout = limits::kHeadTimeout;
  Duration body_timeout = limits::kBodyTimeout;
  Duration idle_timeout = limits::kIdleTimeout;
  Duration write_timeout = limits::kStreamIdleTimeout;
  Duration total_timeout = limits::kTotalTimeout;
  IdentityHeaders identity;
  TrustedPeers trusted;
};

using SettingsSource = std::function<std::shared_ptr<const ConnectionSettings>()>;

// Reads of the client's stream, at most one under way, into the connection's buffer.
class ClientInput final : public net::IoCompletion {
 public:
  ClientInput(net::Stream& stream, net::Loop& loop) : stream_(stream), loop_(loop) {}

  http::ReadBuffer& buffer() { return buffer_; }
  // Starts a read unless the stream has ended; one already under way gets the new deadline.
  void start(Deadline deadline);
  // Waits for the read under way to end. Result: more bytes came (true), the client closed or failed (false).
  // kRequestTimeout when the deadline of start() passed.
  net::Task<Result<bool>> wait();
  // Ends the read under way, if any, so that the stream may be destroyed.
  net::Task<void> stop();
  bool ended() const { return ended_; }
  // Called when the client closes or resets; fires at once if it already has.
  void watch(net::Cancellation* gone);

  void complete(Result<std::size_t> result) override;
  void expired() override;

 private:
  net::Stream& stream_;
  net::Loop& loop_;
  http::ReadBuffer buffer_;
  bool pending_ = false;
  bool ended_ = false;
  bool timed_out_ = false;
  std::coroutine_handle<> waiting_;
  net::Cancellation* gone_ = nullptr;
};

class Connection {
 public:
  Connection(std::unique_ptr<net::Stream> stream, net::Loop& loop, Handler& handler, Random& random,
             http::DateCache& dates)
      : stream_(std::move(stream)),
        peer_address_(stream_->peer_address()),
        input_(*stream_, loop),
        loop_(loop),
        handler_(handler),
        random_(random),
        dates_(dates) {}

  // Serves until the client closes, an error, or drain(). `settings` is asked before each request.
  net::Task<void> serve(const SettingsSource& settings);
  // No further request: closes now when idle, else after the answer under way.
  void drain();
  // Cuts the connection whatever it does.
  void cut();

 private:
  net::Task<Result<std::optional<http::RequestHead>>> read_head(const ConnectionSettings& settings);
  net::Task<Result<std::string>> read_body(const http::RequestHead& head,
                                           const ConnectionSettings& settings);
  // True when the connection may carry another request.
  net::Task<bool> serve_request(http::RequestHead head, const ConnectionSettings& settings);
  net::Task<void> reject(const Error& error, const ConnectionSettings& settings, bool messages_api);

  std::unique_ptr<net::Stream> stream_;
  std::string peer_address_;  // asked once: it costs a system call
  ClientInput input_;
  net::Loop& loop_;
  Handler& handler_;
  Random& random_;
  http::DateCache& dates_;
  bool idle_ = true;
  bool draining_ = false;
};

}  // namespace signalbox::listener
