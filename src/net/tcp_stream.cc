#include "net/tcp_stream.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <cerrno>
#include <cstring>

namespace signalbox::net {
namespace {

namespace asio = boost::asio;
using ErrorCode = boost::system::error_code;

Result<std::size_t> to_result(const ErrorCode& error, std::size_t bytes) {
  if (!error) return bytes;
  if (error == asio::error::eof || error == asio::ssl::error::stream_truncated)
    return std::size_t{0};
  if (error == asio::error::operation_aborted) return fail(Code::kCancelled, "operation cancelled");
  return fail(Code::kIo, error.message());
}

// What plain and TLS streams share: everything but how bytes move.
template <class Socket>
class SocketStream : public Stream {
 public:
  SocketStream(AsioLoop& loop) : loop_(loop) {}

  void start_read(std::span<char> into, Deadline deadline, IoCompletion& completion) final {
    loop_.arm(completion, deadline);
    socket().async_read_some(asio::buffer(into.data(), into.size()),
                             [&completion](const ErrorCode& error, std::size_t bytes) {
                               completion.unlink();
                               completion.complete(to_result(error, bytes));
                             });
  }

  void start_write(WriteParts parts, std::size_t done, Deadline deadline,
                   IoCompletion& completion) final {
    loop_.arm(completion, deadline);
    asio::async_write(socket(), PendingParts(parts, done),
                      [&completion, done](const ErrorCode& error, std::size_t bytes) {
                        completion.unlink();
                        if (error == asio::error::eof) {
                          completion.complete(fail(Code::kIo, "connection closed by peer"));
                        } else {
                          completion.complete(to_result(error, done + bytes));
                        }
                      });
  }

  void cancel() final {
    ErrorCode ignored;
    lowest().cancel(ignored);
  }
  void close() final {
    ErrorCode ignored;
    lowest().close(ignored);
  }
  bool is_open() const final { return const_cast<SocketStream*>(this)->lowest().is_open(); }

  std::string peer_address() const final {
    ErrorCode error;
    const auto endpoint = const_cast<SocketStream*>(this)->lowest().remote_endpoint(error);
    if (error) return {};
    const auto address = endpoint.address();
    if (address.is_v6() && address.to_v6().is_v4_mapped()) {
      return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6()).to_string();
    }
    return address.to_string();
  }

 protected:
  virtual Socket& socket() = 0;
  virtual tcp::socket& lowest() = 0;
  // What recv would find: bytes waiting, 0 at the end of the stream, -1 with errno otherwise.
  ssize_t peek() {
    char byte = 0;
    return ::recv(lowest().native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  }

 private:
  AsioLoop& loop_;
};

class TcpStream final : public SocketStream<tcp::socket> {
 public:
  TcpStream(AsioLoop& loop, tcp::socket socket) : SocketStream(loop), socket_(std::move(socket)) {}

  Result<std::size_t> try_write(WriteParts parts) override {
    std::array<iovec, kWritePartsMax> vectors;
    std::size_t count = 0;
    SBX_ASSERT(parts.size() <= kWritePartsMax);
    for (const auto part : parts) {
      if (part.empty()) continue;
      vectors[count++] = {const_cast<char*>(part.data()), part.size()};
    }
    msghdr message{};
    message.msg_iov = vectors.data();
    message.msg_iovlen = count;
    const ssize_t sent = ::sendmsg(socket_.native_handle(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0) return static_cast<std::size_t>(sent);
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return std::size_t{0};
    return fail(Code::kIo, std::strerror(errno));
  }
  bool stale() override { return peek() >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK); }

 protected:
  tcp::socket& socket() override { return socket_; }
  tcp::socket& lowest() override { return socket_; }

 private:
  tcp::socket socket_;
};

class TlsStream final : public SocketStream<TlsSocket> {
 public:
  TlsStream(AsioLoop& loop, std::unique_ptr<TlsSocket> socket,
            std::shared_ptr<asio::ssl::context> context)
      : SocketStream(loop), context_(std::move(context)), socket_(std::move(socket)) {}

  // TLS cannot be tried without buffering a record: everything goes through start_write.
  Result<std::size_t> try_write(WriteParts) override { return std::size_t{0}; }
  // Bytes waiting may be a TLS 1.3 session ticket, so only the end of the stream or an error is stale.
  bool stale() override {
    const ssize_t waiting = peek();
    return waiting == 0 || (waiting < 0 && errno != EAGAIN && errno != EWOULDBLOCK);
  }

 protected:
  TlsSocket& socket() override { return *socket_; }
  tcp::socket& lowest() override { return socket_->next_layer(); }

 private:
  std::shared_ptr<asio::ssl::context> context_;  // outlives the socket that uses it
  std::unique_ptr<TlsSocket> socket_;
};

}  // namespace

PendingParts::PendingParts(WriteParts parts, std::size_t done) {
  for (const auto part : parts) {
    if (done >= part.size()) {
      done -= part.size();
      continue;
    }
    buffers_[count_++] = asio::const_buffer(part.data() + done, part.size() - done);
    done = 0;
  }
}

std::unique_ptr<Stream> make_tcp_stream(AsioLoop& loop, tcp::socket socket) {
  ErrorCode ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  return std::make_unique<TcpStream>(loop, std::move(socket));
}

std::unique_ptr<Stream> make_tls_stream(AsioLoop& loop, std::unique_ptr<TlsSocket> socket,
                                        std::shared_ptr<asio::ssl::context> context) {
  ErrorCode ignored;
  socket->next_layer().set_option(tcp::no_delay(true), ignored);
  return std::make_unique<TlsStream>(loop, std::move(socket), std::move(context));
}

}  // namespace signalbox::net
