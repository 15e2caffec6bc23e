#include "net/network.h"

#include <fmt/core.h>

#include <boost/asio/connect.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <concepts>
#include <utility>
#include <vector>

#include "net/tcp_stream.h"

namespace signalbox::net {
namespace {

namespace asio = boost::asio;
using ErrorCode = boost::system::error_code;

// One Asio operation that ends in an error code, with deadline and cancellation. `start` begins it and gets the
// handler; `abort` makes it end early.
template <class Start, class Abort>
class Operation final : public Timer {
 public:
  Operation(AsioLoop& loop, Deadline deadline, Cancellation* cancel, Start start, Abort abort)
      : loop_(loop),
        deadline_(deadline),
        cancel_(cancel),
        start_(std::move(start)),
        abort_(std::move(abort)) {}
  bool await_ready() const { return cancel_ != nullptr && cancel_->cancelled(); }
  void await_suspend(std::coroutine_handle<> handle) {
    waiting_ = handle;
    loop_.arm(*this, deadline_);
    start_([this](const ErrorCode& error) {
      unlink();
      error_ = error;
      waiting_.resume();
    });
    if (cancel_ != nullptr) registration_.emplace(*cancel_, [this] { abort_(); });
  }
  Result<void> await_resume() {
    registration_.reset();
    if (cancel_ != nullptr && cancel_->cancelled())
      return fail(Code::kCancelled, "cancelled while connecting");
    if (timed_out_) return fail(Code::kUpstreamTimeout, "timed out");
    if (error_) return fail(Code::kUpstreamConnect, error_.message());
    return {};
  }
  void expired() override {
    timed_out_ = true;
    abort_();
  }

 private:
  AsioLoop& loop_;
  Deadline deadline_;
  Cancellation* cancel_;
  Start start_;
  Abort abort_;
  std::coroutine_handle<> waiting_;
  std::optional<Cancellation::Registration> registration_;
  ErrorCode error_;
  bool timed_out_ = false;
};

std::shared_ptr<asio::ssl::context> make_client_context() {
  auto context = std::make_shared<asio::ssl::context>(asio::ssl::context::tls_client);
  ErrorCode ignored;
  context->set_default_verify_paths(ignored);
  context->set_verify_mode(asio::ssl::verify_peer, ignored);
  SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION);
  return context;
}

class SocketNetwork final : public Network {
 public:
  explicit SocketNetwork(AsioLoop& loop) : loop_(loop) {}

  Task<Result<std::unique_ptr<Stream>>> dial(Address address, Deadline deadline,
                                             Cancellation* cancel) override {
    auto endpoints = co_await resolve(address, deadline, cancel);
    if (!endpoints) co_return std::unexpected(std::move(endpoints).error());
    Error last{.code = Code::kUpstreamConnect,
               .message = fmt::format("{} has no address", address.host)};
    for (const auto& endpoint : *endpoints) {
      tcp::socket socket(loop_.io());
      auto connected = co_await connect(socket, endpoint, deadline, cancel);
      if (!connected) {
        last = std::move(connected).error();
        if (last.code != Code::kUpstreamConnect) break;
        continue;
      }
      if (!address.tls) co_return make_tcp_stream(loop_, std::move(socket));
      co_return co_await handshake(std::move(socket), address, deadline, cancel);
    }
    last.message = fmt::format("connect to {}: {}", to_string(address), last.message);
    co_return std::unexpected(std::move(last));
  }

 private:
  Task<Result<std::vector<tcp::endpoint>>> resolve(const Address& address, Deadline deadline,
                                                   Cancellation* cancel) {
    ErrorCode not_literal;
    const auto literal = asio::ip::make_address(address.host, not_literal);
    if (!not_literal) co_return std::vector<tcp::endpoint>{tcp::endpoint(literal, address.port)};
    tcp::resolver resolver(loop_.io());
    std::vector<tcp::endpoint> found;
    auto start = [&](auto handler) {
      resolver.async_resolve(
          address.host, std::to_string(address.port),
          [&found, handler](const ErrorCode& error, const tcp::resolver::results_type& results) {
            for (const auto& entry : results) found.push_back(entry.endpoint());
            handler(error);
          });
    };
    auto done = co_await Operation(loop_, deadline, cancel, start, [&] { resolver.cancel(); });
    if (!done) {
      auto error = std::move(done).error();
      error.message = fmt::format("resolve {}: {}", address.host, error.message);
      co_return std::unexpected(std::move(error));
    }
    co_return found;
  }

  Task<Result<void>> connect(tcp::socket& socket, const tcp::endpoint& endpoint, Deadline deadline,
                             Cancellation* cancel) {
    auto start = [&](auto handler) { socket.async_connect(endpoint, handler); };
    auto abort = [&] {
      ErrorCode ignored;
      socket.close(ignored);
    };
    co_return co_await Operation(loop_, deadline, cancel, start, abort);
  }

  Task<Result<std::unique_ptr<Stream>>> handshake(tcp::socket socket, const Address& address,
                                                  Deadline deadline, Cancellation* cancel) {
    if (!client_context_) client_context_ = make_client_context();
    auto tls = std::make_unique<TlsSocket>(std::move(socket), *client_context_);
    SSL_set_tlsext_host_name(tls->native_handle(), address.host.c_str());
    tls->set_verify_callback(asio::ssl::host_name_verification(address.host));
    auto start = [&](auto handler) {
      tls->async_handshake(asio::ssl::stream_base::client, handler);
    };
    auto abort = [&] {
      ErrorCode ignored;
      tls->next_layer().close(ignored);
    };
    auto done = co_await Operation(loop_, deadline, cancel, start, abort);
    if (!done) {
      auto error = std::move(done).error();
      error.message = fmt::format("TLS handshake with {}: {}", to_string(address), error.message);
      co_return std::unexpected(std::move(error));
    }
    co_return make_tls_stream(loop_, std::move(tls), client_context_);
  }

  AsioLoop& loop_;
  std::shared_ptr<asio::ssl::context> client_context_;
};

}  // namespace

std::string to_string(const Address& address) {
  const bool literal_v6 = address.host.find(':') != std::string::npos;
  std::string text = literal_v6 ? "[" + address.host + "]" : address.host;
  return text.append(":").append(std::to_string(address.port));
}

std::unique_ptr<Network> make_network(Loop& loop) {
  auto* asio_loop = dynamic_cast<AsioLoop*>(&loop);
  SBX_ASSERT(asio_loop != nullptr);
  return std::make_unique<SocketNetwork>(*asio_loop);
}

}  // namespace signalbox::net
