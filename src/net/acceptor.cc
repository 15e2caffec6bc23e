#include <fmt/core.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <list>
#include <utility>

#include "base/log.h"
#include "net/lookup.h"
#include "net/network.h"
#include "net/socket.h"
#include "net/tls.h"

namespace signalbox::net {
namespace {

constexpr std::chrono::seconds kHandshakeTimeout{10};
constexpr std::chrono::milliseconds kAcceptRetryPause{100};  // out of descriptors: let some close
constexpr int kBacklog = 4096;
constexpr int kAcceptsATurnMax = 64;  // then connections that exist have their turn

struct FileTimes {
  timespec certificate{};
  timespec key{};
  bool operator==(const FileTimes& other) const {
    return certificate.tv_sec == other.certificate.tv_sec &&
           certificate.tv_nsec == other.certificate.tv_nsec && key.tv_sec == other.key.tv_sec &&
           key.tv_nsec == other.key.tv_nsec;
  }
};

FileTimes file_times(const TlsServerFiles& files) {
  FileTimes times;
  struct stat info{};
  if (::stat(files.certificate_file.c_str(), &info) == 0) times.certificate = info.st_mtim;
  if (::stat(files.key_file.c_str(), &info) == 0) times.key = info.st_mtim;
  return times;
}

// Certificates of one acceptor, read again when the files change; a bad new pair leaves the old one in use.
class ServerTls {
 public:
  static Result<std::unique_ptr<ServerTls>> create(TlsServerFiles files) {
    SBX_TRY(auto context, make_server_context(files));
    auto tls = std::make_unique<ServerTls>();
    tls->times_ = file_times(files);
    tls->files_ = std::move(files);
    tls->context_ = std::move(context);
    return tls;
  }
  SslContext current() {
    const FileTimes times = file_times(files_);
    if (!(times == times_)) {
      times_ = times;
      if (auto fresh = make_server_context(files_)) {
        context_ = *std::move(fresh);
        log::info("TLS certificate {} read again", files_.certificate_file);
      } else {
        log::error("TLS certificate not replaced: {}", fresh.error().message);
      }
    }
    return context_;
  }

 private:
  TlsServerFiles files_;
  FileTimes times_;
  SslContext context_;
};

// A server-side handshake under way. Tells how it ended, once, and is dropped then.
class Handshake final : public IoCompletion {
 public:
  using Ended = std::function<void(Handshake&, bool established)>;
  Handshake(std::unique_ptr<TlsSocket> socket, Deadline deadline, Ended ended)
      : deadline_(deadline),
        ended_(std::move(ended)),
        tls_(socket.get()),
        socket_(socket.release()) {}
  void go_on() {
    const auto want = tls_->handshake();
    if (!want || *want == TlsWant::kNothing) {
      end(want.has_value());
    } else if (*want == TlsWant::kRead) {
      socket_->start_read(nullptr, deadline_, *this);
    } else {
      socket_->start_write({}, 0, deadline_, *this);
    }
  }
  SocketPtr take_socket() { return std::move(socket_); }

  void complete(Result<std::size_t> result) override {
    if (result) {
      go_on();
    } else {
      end(false);
    }
  }
  void expired() override { socket_->cancel(); }

 private:
  void end(bool established) {
    const Ended ended = std::move(ended_);  // it destroys this object
    ended(*this, established);
  }

  Deadline deadline_;
  Ended ended_;
  TlsSocket* tls_;
  SocketPtr socket_;
};

class SocketAcceptor final : public Acceptor, private Watcher, private Timer {
 public:
  SocketAcceptor(EpollLoop& loop, Fd listening, std::unique_ptr<ServerTls> tls)
      : loop_(loop), listening_(std::move(listening)), tls_(std::move(tls)) {}
  ~SocketAcceptor() override { close(); }

  std::uint16_t port() const override {
    Endpoint bound;
    bound.bytes = sizeof(bound.storage);
    auto* address = reinterpret_cast<sockaddr*>(&bound.storage);
    return ::getsockname(listening_.get(), address, &bound.bytes) == 0 ? bound.port() : 0;
  }
  void start(std::function<void(std::unique_ptr<Stream>)> on_connection) override {
    on_connection_ = std::move(on_connection);
    // Level-triggered: what one turn leaves in the backlog is reported again.
    loop_.watch(listening_.get(), EPOLLIN, *this);
  }
  void close() override {
    loop_.forget(*this);
    unlink();
    listening_.reset();
    handshakes_.clear();
  }

 private:
  void ready(std::uint32_t) override {
    for (int i = 0; i < kAcceptsATurnMax && listening_; ++i) {
      Fd fd(::accept4(listening_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (fd) {
        accepted(std::move(fd));
      } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        pause();
        return;
      } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
        return;
      }  // else that connection is gone already: the next one
    }
  }

  // Connections wait in the backlog until some have closed.
  void pause() {
    log::warning("accept: {}", error_text(errno));
    loop_.unwatch(listening_.get());
    loop_.forget(*this);
    loop_.arm(*this, Deadline::after(loop_.now(), kAcceptRetryPause));
  }
  void expired() override { loop_.watch(listening_.get(), EPOLLIN, *this); }

  void accepted(Fd fd) {
    if (!tls_) {
      on_connection_(make_stream(owned(std::make_unique<Socket>(loop_, std::move(fd)))));
      return;
    }
    auto socket = std::make_unique<TlsSocket>(loop_, std::move(fd), tls_->current());
    handshakes_.push_back(std::make_unique<Handshake>(
        std::move(socket), Deadline::after(loop_.now(), kHandshakeTimeout),
        [this](Handshake& handshake, bool established) { finish(handshake, established); }));
    handshakes_.back()->go_on();
  }

  void finish(Handshake& handshake, bool established) {
    SocketPtr socket = handshake.take_socket();
    const auto same = [&](const auto& each) { return each.get() == &handshake; };
    const auto found = std::ranges::find_if(handshakes_, same);
    const auto ended = std::move(*found);  // it is running: dropped when this returns
    handshakes_.erase(found);
    if (established) on_connection_(make_stream(std::move(socket)));
  }

  EpollLoop& loop_;
  Fd listening_;
  std::unique_ptr<ServerTls> tls_;
  std::function<void(std::unique_ptr<Stream>)> on_connection_;
  std::list<std::unique_ptr<Handshake>> handshakes_;
};

Result<Fd> open_listening(const Endpoint& endpoint) {
  const int on = 1;
  const int off = 0;
  Fd fd(::socket(endpoint.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const bool done = fd && ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
                    ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) == 0 &&
                    (endpoint.family() != AF_INET6 ||
                     ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) == 0) &&
                    ::bind(fd.get(), endpoint.address(), endpoint.bytes) == 0 &&
                    ::listen(fd.get(), kBacklog) == 0;
  if (done) return fd;
  const Address shown(endpoint.host(), endpoint.port(), false);
  return fail(Code::kIo, fmt::format("listen on {}: {}", to_string(shown), error_text(errno)));
}

bool is_any_v6(const Endpoint& endpoint) {
  return endpoint.family() == AF_INET6 &&
         IN6_IS_ADDR_UNSPECIFIED(
             &reinterpret_cast<const sockaddr_in6&>(endpoint.storage).sin6_addr);
}

}  // namespace

Result<std::unique_ptr<Acceptor>> listen(Loop& loop, const std::string& address, std::uint16_t port,
                                         const TlsServerFiles* tls) {
  const auto literal = parse_literal(address, port);
  if (!literal)
    return fail(Code::kConfig, fmt::format("listen address '{}' is not an IP literal", address));
  std::unique_ptr<ServerTls> server_tls;
  if (tls != nullptr) {
    SBX_TRY(server_tls, ServerTls::create(*tls));
  }
  auto listening = open_listening(*literal);
  // "::" means every address; a machine without IPv6 still has the other half.
  if (!listening && is_any_v6(*literal))
    listening = open_listening(*parse_literal("0.0.0.0", port));
  if (!listening) return std::unexpected(std::move(listening).error());
  return std::make_unique<SocketAcceptor>(as_epoll(loop), *std::move(listening),
                                          std::move(server_tls));
}

}  // namespace signalbox::net
