#include <fmt/core.h>
#include <sys/stat.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/socket_base.hpp>
#include <boost/asio/ssl/context.hpp>
#include <csignal>
#include <list>
#include <utility>

#include "base/log.h"
#include "net/network.h"
#include "net/tcp_stream.h"

namespace signalbox::net {
namespace {

namespace asio = boost::asio;
using ErrorCode = boost::system::error_code;

constexpr std::chrono::seconds kHandshakeTimeout{10};
constexpr std::chrono::milliseconds kAcceptRetryPause{100};  // out of descriptors: let some close
constexpr int kBacklog = 4096;

using ReusePort = asio::detail::socket_option::boolean<SOL_SOCKET, SO_REUSEPORT>;

Result<std::shared_ptr<asio::ssl::context>> make_server_context(const TlsServerFiles& files) {
  auto context = std::make_shared<asio::ssl::context>(asio::ssl::context::tls_server);
  SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION);
  ErrorCode error;
  context->use_certificate_chain_file(files.certificate_file, error);
  if (error)
    return fail(Code::kConfig,
                fmt::format("certificate {}: {}", files.certificate_file, error.message()));
  context->use_private_key_file(files.key_file, asio::ssl::context::pem, error);
  if (error)
    return fail(Code::kConfig, fmt::format("private key {}: {}", files.key_file, error.message()));
  return context;
}

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
  std::shared_ptr<asio::ssl::context> current() {
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
  std::shared_ptr<asio::ssl::context> context_;
};

// A server-side handshake under way; owns the socket until it is handed on or dropped.
struct Handshake final : Timer {
  std::unique_ptr<TlsSocket> socket;
  std::shared_ptr<asio::ssl::context> context;
  void expired() override {
    ErrorCode ignored;
    socket->next_layer().close(ignored);
  }
};

class SocketAcceptor final : public Acceptor, private Timer {
 public:
  SocketAcceptor(AsioLoop& loop, tcp::acceptor acceptor, std::unique_ptr<ServerTls> tls)
      : loop_(loop), acceptor_(std::move(acceptor)), tls_(std::move(tls)) {}
  ~SocketAcceptor() override { close(); }

  std::uint16_t port() const override {
    ErrorCode error;
    const auto endpoint = acceptor_.local_endpoint(error);
    return error ? 0 : endpoint.port();
  }
  void start(std::function<void(std::unique_ptr<Stream>)> on_connection) override {
    on_connection_ = std::make_shared<Callback>(std::move(on_connection));
    accept();
  }
  void close() override {
    ErrorCode ignored;
    acceptor_.close(ignored);
    if (on_connection_) on_connection_->reset();
    for (auto& handshake : handshakes_) handshake->expired();
  }

 private:
  // Shared with pending handlers, which may run after the acceptor is gone.
  class Callback {
   public:
    explicit Callback(std::function<void(std::unique_ptr<Stream>)> fn) : fn_(std::move(fn)) {}
    void reset() { fn_ = nullptr; }
    explicit operator bool() const { return static_cast<bool>(fn_); }
    void operator()(std::unique_ptr<Stream> stream) const { fn_(std::move(stream)); }

   private:
    std::function<void(std::unique_ptr<Stream>)> fn_;
  };

  void expired() override { accept(); }

  void accept() {
    acceptor_.async_accept(
        [this, callback = on_connection_](const ErrorCode& error, tcp::socket socket) {
          if (!*callback) return;  // closed; `this` may be gone
          if (!error) {
            accepted(std::move(socket));
          } else if (error == asio::error::no_descriptors ||
                     error == asio::error::no_buffer_space || error == asio::error::no_memory) {
            log::warning("accept: {}", error.message());
            loop_.arm(*this, Deadline::after(loop_.now(), kAcceptRetryPause));
            return;
          }
          accept();
        });
  }

  void accepted(tcp::socket socket) {
    if (!tls_) {
      (*on_connection_)(make_tcp_stream(loop_, std::move(socket)));
      return;
    }
    auto handshake = std::make_shared<Handshake>();
    handshake->context = tls_->current();
    handshake->socket = std::make_unique<TlsSocket>(std::move(socket), *handshake->context);
    loop_.arm(*handshake, Deadline::after(loop_.now(), kHandshakeTimeout));
    handshakes_.push_back(handshake);
    handshake->socket->async_handshake(
        asio::ssl::stream_base::server,
        [this, handshake, callback = on_connection_](const ErrorCode& error) {
          handshake->unlink();
          if (!*callback) return;
          handshakes_.remove(handshake);
          if (error) return;
          (*callback)(make_tls_stream(loop_, std::move(handshake->socket), handshake->context));
        });
  }

  AsioLoop& loop_;
  tcp::acceptor acceptor_;
  std::unique_ptr<ServerTls> tls_;
  std::shared_ptr<Callback> on_connection_;
  std::list<std::shared_ptr<Handshake>> handshakes_;
};

Result<tcp::acceptor> open_acceptor(AsioLoop& loop, const asio::ip::address& address,
                                    std::uint16_t port) {
  tcp::acceptor acceptor(loop.io());
  const tcp::endpoint endpoint(address, port);
  ErrorCode error;
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor.set_option(ReusePort(true), error);
  if (!error && address.is_v6()) acceptor.set_option(asio::ip::v6_only(false), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(kBacklog, error);
  if (error) {
    return fail(Code::kIo,
                fmt::format("listen on {}: {}",
                            to_string(Address{address.to_string(), port, false}), error.message()));
  }
  return acceptor;
}

class AsioSignalWatch final : public SignalWatch {
 public:
  AsioSignalWatch(AsioLoop& loop, std::function<void(bool)> fn)
      : signals_(loop.io(), SIGTERM, SIGINT, SIGHUP), fn_(std::move(fn)) {
    wait();
  }

 private:
  void wait() {
    signals_.async_wait([this](const ErrorCode& error, int signal) {
      if (error) return;
      wait();
      fn_(signal != SIGHUP);
    });
  }
  asio::signal_set signals_;
  std::function<void(bool)> fn_;
};

AsioLoop& as_asio(Loop& loop) {
  auto* asio_loop = dynamic_cast<AsioLoop*>(&loop);
  SBX_ASSERT(asio_loop != nullptr);
  return *asio_loop;
}

}  // namespace

Result<std::unique_ptr<Acceptor>> listen(Loop& loop, const std::string& address, std::uint16_t port,
                                         const TlsServerFiles* tls) {
  AsioLoop& asio_loop = as_asio(loop);
  ErrorCode error;
  const auto literal = asio::ip::make_address(address, error);
  if (error)
    return fail(Code::kConfig, fmt::format("listen address '{}' is not an IP literal", address));
  std::unique_ptr<ServerTls> server_tls;
  if (tls != nullptr) {
    SBX_TRY(server_tls, ServerTls::create(*tls));
  }
  auto acceptor = open_acceptor(asio_loop, literal, port);
  // "::" means every address; a machine without IPv6 still has the other half.
  if (!acceptor && literal.is_v6() && literal.is_unspecified()) {
    acceptor = open_acceptor(asio_loop, asio::ip::address_v4::any(), port);
  }
  if (!acceptor) return std::unexpected(std::move(acceptor).error());
  return std::make_unique<SocketAcceptor>(asio_loop, *std::move(acceptor), std::move(server_tls));
}

std::unique_ptr<SignalWatch> watch_signals(Loop& loop, std::function<void(bool terminate)> fn) {
  return std::make_unique<AsioSignalWatch>(as_asio(loop), std::move(fn));
}

}  // namespace signalbox::net
