#include "kv/socket.h"

#include <fmt/core.h>

#include <array>

#include "base/limits.h"

namespace signalbox::kv {
namespace {

constexpr int kHeartbeatMs = 5000;
constexpr int kSilenceMs = 15'000;
constexpr int kReconnectMs = 100;
constexpr int kReconnectMaxMs = 5000;

class Message {
 public:
  Message() { zmq_msg_init(&message_); }
  ~Message() { zmq_msg_close(&message_); }
  Message(const Message&) = delete;
  Message& operator=(const Message&) = delete;
  bool receive(void* socket) { return zmq_msg_recv(&message_, socket, ZMQ_DONTWAIT) >= 0; }
  bool more() const { return zmq_msg_more(&message_) != 0; }
  std::string text() {
    return {static_cast<const char*>(zmq_msg_data(&message_)), zmq_msg_size(&message_)};
  }

 private:
  zmq_msg_t message_;
};

std::unexpected<Error> failed(const char* what, const std::string& endpoint) {
  return fail(Code::kIo,
              fmt::format("cannot {} {}: {}", what, endpoint, zmq_strerror(zmq_errno())));
}

}  // namespace

Socket::Socket(void* context, int type) : socket_(zmq_socket(context, type)) {
  if (!socket_) return;
  set(ZMQ_LINGER, 0);
  set(ZMQ_IPV6, 1);
  set(ZMQ_HEARTBEAT_IVL, kHeartbeatMs);
  set(ZMQ_HEARTBEAT_TIMEOUT, kSilenceMs);
  set(ZMQ_RECONNECT_IVL, kReconnectMs);
  set(ZMQ_RECONNECT_IVL_MAX, kReconnectMaxMs);
  set_message_bytes_max(limits::kKvMessageBytesMax);
}

void Socket::set_message_bytes_max(std::size_t bytes) {
  const auto bytes_max = static_cast<std::int64_t>(bytes);
  zmq_setsockopt(get(), ZMQ_MAXMSGSIZE, &bytes_max, sizeof bytes_max);
}

void Socket::set(int option, int value) { zmq_setsockopt(get(), option, &value, sizeof value); }

Result<void> Socket::connect(const std::string& endpoint) {
  if (!open() || zmq_connect(get(), endpoint.c_str()) != 0) return failed("connect to", endpoint);
  return {};
}

Result<std::string> Socket::bind(const std::string& endpoint) {
  if (!open() || zmq_bind(get(), endpoint.c_str()) != 0) return failed("listen on", endpoint);
  std::array<char, 256> bound{};
  std::size_t size = bound.size();
  zmq_getsockopt(get(), ZMQ_LAST_ENDPOINT, bound.data(), &size);
  std::string text = bound.data();
  // IPv4 in IPv6 is told as IPv4, which peers without IPv6 understand.
  constexpr std::string_view kMapped = "[::ffff:";
  const auto mapped = text.find(kMapped);
  const auto end = text.find(']');
  if (mapped != std::string::npos && end != std::string::npos) {
    text.erase(end, 1);
    text.erase(mapped, kMapped.size());
  }
  return text;
}

void Socket::subscribe(const std::string& topic) {
  zmq_setsockopt(get(), ZMQ_SUBSCRIBE, topic.data(), topic.size());
}

Socket Socket::monitor(void* context, const std::string& name, int events) {
  const std::string endpoint = "inproc://" + name;
  zmq_socket_monitor(get(), endpoint.c_str(), events);
  Socket pair(context, ZMQ_PAIR);
  static_cast<void>(pair.connect(endpoint));
  return pair;
}

std::optional<Frames> Socket::receive(std::size_t frames_max) {
  Frames frames;
  for (bool more = true; more;) {
    Message message;
    if (!message.receive(get())) return std::nullopt;
    if (frames.size() < frames_max) frames.push_back(message.text());
    more = message.more();
  }
  return frames;
}

bool Socket::send(const std::vector<std::string_view>& frames) {
  for (std::size_t i = 0; i < frames.size(); ++i) {
    const int flags = ZMQ_DONTWAIT | (i + 1 < frames.size() ? ZMQ_SNDMORE : 0);
    if (zmq_send(get(), frames[i].data(), frames[i].size(), flags) < 0) return false;
  }
  return true;
}

}  // namespace signalbox::kv
