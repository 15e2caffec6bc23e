#include "net/tls.h"

#include <arpa/inet.h>
#include <fmt/core.h>
#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <limits>
#include <utility>

#include "base/assert.h"

namespace signalbox::net {
namespace {

constexpr std::size_t kRecordBytesMax = 16 << 10;  // RFC 8446 section 5.1

// What OpenSSL says of its last failure on this thread, and forgets it.
std::string ssl_error_text() {
  const unsigned long code = ::ERR_get_error();
  ::ERR_clear_error();
  const char* reason = code == 0 ? nullptr : ::ERR_reason_error_string(code);
  if (reason != nullptr) return reason;
  if (code != 0 && ERR_SYSTEM_ERROR(code)) return error_text(ERR_GET_REASON(code));
  return "unknown TLS error";
}

SslContext make_context(const SSL_METHOD* method) {
  // OpenSSL writes with write(2), which raises SIGPIPE where the peer is gone.
  std::signal(SIGPIPE, SIG_IGN);
  SslContext context(::SSL_CTX_new(method), FreeSsl());
  SBX_ASSERT(context);
  ::SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  ::SSL_CTX_set_mode(context.get(), SSL_MODE_ENABLE_PARTIAL_WRITE |
                                        SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                        SSL_MODE_RELEASE_BUFFERS);
  return context;
}

bool is_ip_literal(const std::string& host) {
  in6_addr scratch;
  return ::inet_pton(AF_INET, host.c_str(), &scratch) == 1 ||
         ::inet_pton(AF_INET6, host.c_str(), &scratch) == 1;
}

}  // namespace

Result<SslContext> make_server_context(const TlsServerFiles& files) {
  SslContext context = make_context(::TLS_server_method());
  ::ERR_clear_error();
  if (::SSL_CTX_use_certificate_chain_file(context.get(), files.certificate_file.c_str()) != 1)
    return fail(Code::kConfig,
                fmt::format("certificate {}: {}", files.certificate_file, ssl_error_text()));
  if (::SSL_CTX_use_PrivateKey_file(context.get(), files.key_file.c_str(), SSL_FILETYPE_PEM) != 1)
    return fail(Code::kConfig, fmt::format("private key {}: {}", files.key_file, ssl_error_text()));
  return context;
}

SslContext make_client_context() {
  SslContext context = make_context(::TLS_client_method());
  ::SSL_CTX_set_default_verify_paths(context.get());
  ::SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  return context;
}

TlsSocket::TlsSocket(EpollLoop& loop, Fd fd, const SslContext& context)
    : Socket(loop, std::move(fd)), context_(context), ssl_(::SSL_new(context.get())) {
  SBX_ASSERT(ssl_);
  ::SSL_set_fd(ssl_.get(), this->fd());
  ::SSL_set_accept_state(ssl_.get());
}

TlsSocket::TlsSocket(EpollLoop& loop, Fd fd, const SslContext& context, const std::string& host)
    : TlsSocket(loop, std::move(fd), context) {
  ::SSL_set_connect_state(ssl_.get());
  if (is_ip_literal(host)) {
    ::X509_VERIFY_PARAM_set1_ip_asc(::SSL_get0_param(ssl_.get()), host.c_str());
    return;
  }
  SSL_set_tlsext_host_name(ssl_.get(), host.c_str());
  ::SSL_set1_host(ssl_.get(), host.c_str());
}

Attempt TlsSocket::outcome(int result, TlsWant* waits_for) {
  const int system_error = errno;
  switch (::SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ:
      *waits_for = TlsWant::kRead;
      readable_ = hung_up_;
      return std::nullopt;
    case SSL_ERROR_WANT_WRITE:
      *waits_for = TlsWant::kWrite;
      writable_ = false;
      return std::nullopt;
    case SSL_ERROR_ZERO_RETURN:
      return std::size_t{0};
    case SSL_ERROR_SYSCALL:
      broken_ = true;
      return fail(Code::kIo,
                  system_error == 0 ? "connection closed by peer" : error_text(system_error));
    default:
      broken_ = true;
      if (ERR_GET_REASON(::ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
        ::ERR_clear_error();
        return std::size_t{0};
      }
      return fail(Code::kIo, ssl_error_text());
  }
}

Result<TlsWant> TlsSocket::handshake() {
  ::ERR_clear_error();
  errno = 0;
  const int result = ::SSL_do_handshake(ssl_.get());
  if (result == 1) {
    established_ = true;
    return TlsWant::kNothing;
  }
  TlsWant want = TlsWant::kNothing;
  const Attempt failed = outcome(result, &want);
  if (!failed) return want;
  const long verdict = ::SSL_get_verify_result(ssl_.get());
  if (verdict != X509_V_OK) {
    return fail(Code::kIo, fmt::format("certificate verify failed: {}",
                                       ::X509_verify_cert_error_string(verdict)));
  }
  if (*failed) return fail(Code::kIo, "connection closed by peer");
  return std::unexpected(failed->error());
}

Attempt TlsSocket::try_read(std::span<char> into) {
  ::ERR_clear_error();
  errno = 0;
  const auto bytes_max =
      std::min<std::size_t>(into.size(), std::numeric_limits<std::int32_t>::max());
  const int count = ::SSL_read(ssl_.get(), into.data(), static_cast<int>(bytes_max));
  if (count > 0) {
    read_waits_for_ = TlsWant::kNothing;
    return static_cast<std::size_t>(count);
  }
  return outcome(count, &read_waits_for_);
}

void TlsSocket::stage(WriteParts parts, std::size_t done) {
  staging_.clear();
  for (const auto part : parts) {
    const std::size_t skipped = std::min(done, part.size());
    done -= skipped;
    staging_.append(part.substr(skipped, kRecordBytesMax - staging_.size()));
    if (staging_.size() == kRecordBytesMax) return;
  }
}

Attempt TlsSocket::try_write(WriteParts parts, std::size_t done) {
  const std::size_t before = done;
  for (;;) {
    // A call that OpenSSL wants repeated finds the same bytes again: staging goes by what is done, and that stands still.
    stage(parts, done);
    if (staging_.empty()) break;
    ::ERR_clear_error();
    errno = 0;
    const int count = ::SSL_write(ssl_.get(), staging_.data(), static_cast<int>(staging_.size()));
    if (count <= 0) {
      Attempt failed = outcome(count, &write_waits_for_);
      if (failed && *failed) return fail(Code::kIo, "connection closed by peer");
      if (failed) return failed;
      break;
    }
    write_waits_for_ = TlsWant::kNothing;
    done += static_cast<std::size_t>(count);
  }
  if (done == before && !staging_.empty()) return std::nullopt;
  return done;
}

void TlsSocket::close() {
  if (is_open() && established_ && !broken_) {
    ::ERR_clear_error();
    ::SSL_shutdown(ssl_.get());
    ::ERR_clear_error();
  }
  Socket::close();
}

// Bytes waiting may be a TLS 1.3 session ticket, so only the end of the stream or an error is stale.
bool TlsSocket::stale() {
  if (!is_open() || hung_up_) return true;
  if (!readable_) return false;
  const ssize_t waiting = peek();
  return waiting == 0 || (waiting < 0 && errno != EAGAIN && errno != EWOULDBLOCK);
}

Task<Result<void>> shake_hands(TlsSocket* socket, Deadline deadline) {
  for (;;) {
    SBX_CO_TRY(const TlsWant want, socket->handshake());
    if (want == TlsWant::kNothing) co_return Result<void>{};
    const auto event = want == TlsWant::kRead ? SocketWait::kReadable : SocketWait::kWritable;
    SBX_CO_CHECK_OK(co_await SocketWait(*socket, event, deadline));
  }
}

}  // namespace signalbox::net
