#include "net/socket.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

#include "base/assert.h"

namespace signalbox::net {
namespace {

bool would_block() { return errno == EAGAIN || errno == EWOULDBLOCK; }

// Edge-triggered, so an interrupted call must not be taken for one that would block.
template <class Call>
ssize_t uninterrupted(Call call) {
  ssize_t result = 0;
  do {
    result = call();
  } while (result < 0 && errno == EINTR);
  return result;
}

std::size_t bytes_of(WriteParts parts) {
  std::size_t total = 0;
  for (const auto part : parts) total += part.size();
  return total;
}

Error io_error() { return {Code::kIo, error_text(errno), {}}; }

class SocketStream final : public Stream {
 public:
  explicit SocketStream(SocketPtr socket) : socket_(std::move(socket)) {}

  void start_read(ReadSpace& into, Deadline deadline, IoCompletion& completion) override {
    socket_->start_read(&into, deadline, completion);
  }
  Result<std::size_t> try_write(WriteParts parts) override {
    return socket_->try_write(parts, 0).value_or(std::size_t{0});
  }
  void start_write(WriteParts parts, std::size_t done, Deadline deadline,
                   IoCompletion& completion) override {
    socket_->start_write(parts, done, deadline, completion);
  }
  void cancel() override { socket_->cancel(); }
  void close() override { socket_->close(); }
  bool is_open() const override { return socket_->is_open(); }
  bool stale() override { return socket_->stale(); }
  std::string peer_address() const override {
    Endpoint peer;
    peer.bytes = sizeof(peer.storage);
    auto* address = reinterpret_cast<sockaddr*>(&peer.storage);
    return ::getpeername(socket_->fd(), address, &peer.bytes) == 0 ? peer.host() : std::string();
  }

 private:
  SocketPtr socket_;
};

}  // namespace

std::string error_text(int error_number) { return std::generic_category().message(error_number); }

std::uint16_t Endpoint::port() const {
  if (family() == AF_INET) return ntohs(reinterpret_cast<const sockaddr_in&>(storage).sin_port);
  if (family() == AF_INET6) return ntohs(reinterpret_cast<const sockaddr_in6&>(storage).sin6_port);
  return 0;
}

std::string Endpoint::host() const {
  constexpr std::size_t kMappedPrefixBytes = 12;
  std::array<char, INET6_ADDRSTRLEN> text{};
  const void* bytes_of_address = nullptr;
  int shown_as = family();
  if (family() == AF_INET) {
    bytes_of_address = &reinterpret_cast<const sockaddr_in&>(storage).sin_addr;
  } else if (family() == AF_INET6) {
    const auto& address = reinterpret_cast<const sockaddr_in6&>(storage).sin6_addr;
    bytes_of_address = &address;
    if (IN6_IS_ADDR_V4MAPPED(&address)) {
      shown_as = AF_INET;
      bytes_of_address = address.s6_addr + kMappedPrefixBytes;
    }
  } else {
    return {};
  }
  const char* shown = ::inet_ntop(shown_as, bytes_of_address, text.data(), text.size());
  return shown == nullptr ? std::string() : std::string(shown);
}

Socket::Socket(EpollLoop& loop, Fd fd) : loop_(loop), fd_(std::move(fd)) {
  loop_.watch(fd_.get(), EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, *this);
}

void Socket::start_read(ReadSpace* into, Deadline deadline, IoCompletion& completion) {
  SBX_ASSERT(reading_.completion == nullptr);
  reading_ = {.into = into, .completion = &completion};
  loop_.arm(completion, deadline);
  if (!is_open() || has_reason(reading_)) {
    loop_.defer(*this);
  } else if (into != nullptr) {
    into->release();
  }
}

void Socket::start_write(WriteParts parts, std::size_t done, Deadline deadline,
                         IoCompletion& completion) {
  SBX_ASSERT(writing_.completion == nullptr);
  writing_ = {.parts = parts, .done = done, .completion = &completion};
  loop_.arm(completion, deadline);
  if (!is_open() || has_reason(writing_)) loop_.defer(*this);
}

void Socket::ready(std::uint32_t epoll_events) {
  if ((epoll_events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) hung_up_ = true;
  if ((epoll_events & EPOLLIN) != 0 || hung_up_) readable_ = true;
  if ((epoll_events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0) writable_ = true;
  progress();
}

// Completing an operation may start the next one and may retire this socket, which stays in memory until the turn's end.
void Socket::progress() {
  if (reading_.completion != nullptr) {
    if (Attempt result = read_on()) {
      IoCompletion* completion = std::exchange(reading_.completion, nullptr);
      completion->unlink();
      completion->complete(*std::move(result));
    }
  }
  if (writing_.completion != nullptr) {
    if (Attempt result = write_on()) {
      IoCompletion* completion = std::exchange(writing_.completion, nullptr);
      completion->unlink();
      completion->complete(*std::move(result));
    }
  }
}

Attempt Socket::read_on() {
  if (reading_.aborted) return fail(Code::kCancelled, "operation cancelled");
  if (!is_open()) return fail(Code::kIo, "the connection is closed");
  if (!has_reason(reading_)) return std::nullopt;
  if (reading_.into == nullptr) return std::size_t{0};
  Attempt result = try_read(reading_.into->room());
  if (!result) reading_.into->release();
  return result;
}

Attempt Socket::write_on() {
  if (writing_.aborted) return fail(Code::kCancelled, "operation cancelled");
  if (!is_open()) return fail(Code::kIo, "the connection is closed");
  if (!has_reason(writing_)) return std::nullopt;
  if (writing_.parts.empty()) return std::size_t{0};
  const std::size_t total = bytes_of(writing_.parts);
  Attempt result = try_write(writing_.parts, writing_.done);
  if (!result || !*result) return result;
  writing_.done = **result;
  if (writing_.done == total) return result;
  if (may_write()) loop_.defer(*this);
  return std::nullopt;
}

Attempt Socket::try_read(std::span<char> into) {
  const ssize_t count =
      uninterrupted([&] { return ::recv(fd(), into.data(), into.size(), MSG_DONTWAIT); });
  if (count < 0) {
    if (!would_block()) return std::unexpected(io_error());
    readable_ = false;
    return std::nullopt;
  }
  if (static_cast<std::size_t>(count) < into.size() && !hung_up_) readable_ = false;
  return static_cast<std::size_t>(count);
}

Attempt Socket::try_write(WriteParts parts, std::size_t done) {
  std::array<iovec, kWritePartsMax> vectors;
  std::size_t count = 0;
  std::size_t skip = done;
  std::size_t left = 0;
  SBX_ASSERT(parts.size() <= kWritePartsMax);
  for (const auto part : parts) {
    const std::size_t skipped = std::min(skip, part.size());
    skip -= skipped;
    if (skipped == part.size()) continue;
    vectors[count++] = {const_cast<char*>(part.data()) + skipped, part.size() - skipped};
    left += part.size() - skipped;
  }
  msghdr message{};
  message.msg_iov = vectors.data();
  message.msg_iovlen = count;
  const ssize_t sent =
      uninterrupted([&] { return ::sendmsg(fd(), &message, MSG_NOSIGNAL | MSG_DONTWAIT); });
  if (sent < 0 && !would_block()) return std::unexpected(io_error());
  if (sent < 0 || static_cast<std::size_t>(sent) < left) writable_ = false;
  if (sent < 0) return std::nullopt;
  return done + static_cast<std::size_t>(sent);
}

void Socket::abort() {
  reading_.aborted = reading_.completion != nullptr;
  writing_.aborted = writing_.completion != nullptr;
  if (reading_.aborted || writing_.aborted) loop_.defer(*this);
}

void Socket::cancel() { abort(); }

void Socket::forsake() {
  if (auto* completion = std::exchange(reading_.completion, nullptr)) completion->unlink();
  if (auto* completion = std::exchange(writing_.completion, nullptr)) completion->unlink();
}

void Socket::close() {
  abort();
  fd_.reset();
}

ssize_t Socket::peek() const {
  char byte = 0;
  return uninterrupted([&] { return ::recv(fd(), &byte, 1, MSG_PEEK | MSG_DONTWAIT); });
}

bool Socket::stale() {
  if (!is_open()) return true;
  if (!readable_) return false;
  if (peek() >= 0 || !would_block()) return true;
  readable_ = false;
  return false;
}

void Retire::operator()(Socket* socket) const {
  socket->forsake();
  socket->close();
  socket->loop().retire(std::unique_ptr<Socket>(socket));
}

void SocketWait::await_suspend(std::coroutine_handle<> handle) {
  waiting_ = handle;
  if (event_ == kReadable) {
    socket_.start_read(nullptr, deadline_, *this);
  } else {
    socket_.start_write({}, 0, deadline_, *this);
  }
}

Result<void> SocketWait::await_resume() {
  if (timed_out_) return fail(Code::kUpstreamTimeout, "timed out");
  if (!result_) return std::unexpected(std::move(result_).error());
  return {};
}

void SocketWait::complete(Result<std::size_t> result) {
  result_ = std::move(result);
  waiting_.resume();
}

void SocketWait::expired() {
  timed_out_ = true;
  socket_.cancel();
}

std::unique_ptr<Stream> make_stream(SocketPtr socket) {
  const int on = 1;
  static_cast<void>(::setsockopt(socket->fd(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)));
  return std::make_unique<SocketStream>(std::move(socket));
}

}  // namespace signalbox::net
