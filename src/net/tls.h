// TLS over a Socket, by OpenSSL. Nothing outside net/ includes this.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>

#include "net/network.h"
#include "net/socket.h"
#include "net/task.h"

namespace signalbox::net {

struct FreeSsl {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(SSL* ssl) const { SSL_free(ssl); }
};
using SslContext = std::shared_ptr<SSL_CTX>;

// Certificate chain and key read from files. Errors: kConfig, with the file and what OpenSSL says.
Result<SslContext> make_server_context(const TlsServerFiles& files);
// Verifies peers against the system's trust store.
SslContext make_client_context();

// What OpenSSL asks to wait for.
enum class TlsWant { kNothing, kRead, kWrite };

class TlsSocket final : public Socket {
 public:
  // Accepts, or with a host connects: that name is asked for and must stand in the certificate (or the IP address).
  TlsSocket(EpollLoop& loop, Fd fd, const SslContext& context);
  TlsSocket(EpollLoop& loop, Fd fd, const SslContext& context, const std::string& host);

  // Goes on with the handshake. Errors: kIo, the message says what failed (a certificate, a protocol version).
  Result<TlsWant> handshake();

  Attempt try_write(WriteParts parts, std::size_t done) override;
  // Says good-bye if it can be said at once.
  void close() override;
  bool stale() override;

 protected:
  Attempt try_read(std::span<char> into) override;
  // OpenSSL may hold bytes that epoll knows nothing of, and may have to write in order to read.
  bool may_read() const override { return has_come(read_waits_for_); }
  bool may_write() const override { return has_come(write_waits_for_); }

 private:
  bool has_come(TlsWant want) const {
    return want == TlsWant::kNothing || (want == TlsWant::kRead ? readable_ : writable_);
  }
  // Outcome of an OpenSSL call that returned `result` <= 0.
  Attempt outcome(int result, TlsWant* waits_for);
  // Takes the next bytes of `parts` after `done` to staging_, at most one TLS record.
  void stage(WriteParts parts, std::size_t done);

  SslContext context_;  // outlives ssl_
  std::unique_ptr<SSL, FreeSsl> ssl_;
  std::string staging_;  // of the record being written
  TlsWant read_waits_for_ = TlsWant::kNothing;
  TlsWant write_waits_for_ = TlsWant::kNothing;
  bool established_ = false;
  bool broken_ = false;
};

// Handshake to its end. Errors: kIo (TLS failure), kUpstreamTimeout, kCancelled.
Task<Result<void>> shake_hands(TlsSocket* socket, Deadline deadline);

}  // namespace signalbox::net
