#include "net/network.h"

#include <fmt/core.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "net/lookup.h"
#include "net/socket.h"
#include "net/tls.h"

namespace signalbox::net {
namespace {

// Ends what waits on a socket when the request that wants it is cancelled.
class CancelSocket {
 public:
  CancelSocket(Cancellation* cancel, Socket& socket) {
    if (cancel != nullptr) registration_.emplace(*cancel, [&socket] { socket.cancel(); });
  }

 private:
  std::optional<Cancellation::Registration> registration_;
};

bool is_cancelled(const Cancellation* cancel) { return cancel != nullptr && cancel->cancelled(); }

// What a failed step of a dial means to the caller.
Error dial_error(Error error, const Cancellation* cancel) {
  if (is_cancelled(cancel)) return {Code::kCancelled, "cancelled while connecting", {}};
  if (error.code == Code::kIo || error.code == Code::kCancelled)
    error.code = Code::kUpstreamConnect;
  return error;
}

class SocketNetwork final : public Network {
 public:
  explicit SocketNetwork(EpollLoop& loop) : loop_(loop) {}

  Task<Result<std::unique_ptr<Stream>>> dial(Address address, Deadline deadline,
                                             Cancellation* cancel) override {
    auto endpoints = co_await resolve(address, deadline, cancel);
    if (!endpoints) co_return std::unexpected(std::move(endpoints).error());
    Error last{Code::kUpstreamConnect, fmt::format("{} has no address", address.host), {}};
    for (const Endpoint& endpoint : *endpoints) {
      auto connected = co_await connect(endpoint, address, deadline, cancel);
      if (!connected) {
        last = dial_error(std::move(connected).error(), cancel);
        if (last.code != Code::kUpstreamConnect) break;
        continue;
      }
      if (!address.tls) co_return make_stream(*std::move(connected));
      co_return co_await secure(*std::move(connected), address, deadline, cancel);
    }
    last.message = fmt::format("connect to {}: {}", to_string(address), last.message);
    co_return std::unexpected(std::move(last));
  }

 private:
  Task<Result<Endpoints>> resolve(const Address& address, Deadline deadline, Cancellation* cancel) {
    if (const auto literal = parse_literal(address.host, address.port))
      co_return Endpoints{*literal};
    const OneShot<Result<Endpoints>> answer(loop_);
    lookup_.resolve(address.host, address.port, answer);
    std::optional<Cancellation::Registration> registration;
    if (cancel != nullptr) {
      registration.emplace(*cancel, [answer] { answer.set(fail(Code::kCancelled, "cancelled")); });
    }
    auto found = co_await answer.wait(deadline);
    if (!found) found = fail(Code::kUpstreamTimeout, "timed out");
    if (*found) co_return **std::move(found);
    Error error = dial_error(found->error(), cancel);
    error.message = fmt::format("resolve {}: {}", address.host, error.message);
    co_return std::unexpected(std::move(error));
  }

  // A TlsSocket if the address says so.
  SocketPtr make_socket(Fd fd, const Address& address) {
    if (!address.tls) return owned(std::make_unique<Socket>(loop_, std::move(fd)));
    if (!client_context_) client_context_ = make_client_context();
    return owned(std::make_unique<TlsSocket>(loop_, std::move(fd), client_context_, address.host));
  }

  Task<Result<SocketPtr>> connect(Endpoint endpoint, const Address& address, Deadline deadline,
                                  Cancellation* cancel) {
    if (is_cancelled(cancel)) co_return fail(Code::kCancelled, "cancelled");
    Fd fd(::socket(endpoint.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!fd) co_return fail(Code::kUpstreamConnect, error_text(errno));
    if (::connect(fd.get(), endpoint.address(), endpoint.bytes) != 0 && errno != EINPROGRESS)
      co_return fail(Code::kUpstreamConnect, error_text(errno));
    SocketPtr socket = make_socket(std::move(fd), address);
    const CancelSocket on_cancel(cancel, *socket);
    SBX_CO_CHECK_OK(co_await SocketWait(*socket, SocketWait::kWritable, deadline));
    int failed = 0;
    socklen_t bytes = sizeof(failed);
    if (::getsockopt(socket->fd(), SOL_SOCKET, SO_ERROR, &failed, &bytes) != 0) failed = errno;
    if (failed != 0) co_return fail(Code::kUpstreamConnect, error_text(failed));
    co_return socket;
  }

  Task<Result<std::unique_ptr<Stream>>> secure(SocketPtr socket, const Address& address,
                                               Deadline deadline, Cancellation* cancel) {
    auto* tls = static_cast<TlsSocket*>(socket.get());
    const CancelSocket on_cancel(cancel, *socket);
    auto done = co_await shake_hands(tls, deadline);
    if (done) co_return make_stream(std::move(socket));
    Error error = dial_error(std::move(done).error(), cancel);
    error.message = fmt::format("TLS handshake with {}: {}", to_string(address), error.message);
    co_return std::unexpected(std::move(error));
  }

  EpollLoop& loop_;
  AddressLookup lookup_;
  SslContext client_context_;
};

}  // namespace

std::string to_string(const Address& address) {
  const bool literal_v6 = address.host.find(':') != std::string::npos;
  std::string text = literal_v6 ? "[" + address.host + "]" : address.host;
  text.append(":").append(std::to_string(address.port));
  return text;
}

std::unique_ptr<Network> make_network(Loop& loop) {
  return std::make_unique<SocketNetwork>(as_epoll(loop));
}

}  // namespace signalbox::net
