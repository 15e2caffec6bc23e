#include "kv/lmcache_server.h"

#include <fmt/core.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <thread>
#include <utility>

#include "base/limits.h"
#include "base/log.h"
#include "kv/socket.h"

namespace signalbox::kv::lmcache {
namespace {

constexpr int kMessagesPerTurn = 64;  // of one socket, before the others get a turn

// One address to listen on.
class Door {
 public:
  Door(int type, std::string endpoint) : type_(type), endpoint_(std::move(endpoint)) {}

  void open(void* context) {
    if (endpoint_.empty() || socket_.open()) return;
    Socket socket(context, type_);
    socket.set(ZMQ_RCVHWM, limits::kKvReceiveQueueMax);
    socket.set_message_bytes_max(limits::kLmcacheMessageBytesMax);
    auto bound = socket.bind(endpoint_);
    if (!bound) {
      if (!std::exchange(complained_, true))
        log::error("LMCache's controller: {}; tried again", bound.error().message);
      return;
    }
    bound_ = *std::move(bound);
    socket_ = std::move(socket);
    log::info("LMCache's controller listens on {}", bound_);
  }
  Socket& socket() { return socket_; }
  const std::string& bound() const { return bound_; }

 private:
  int type_;
  std::string endpoint_;
  Socket socket_;
  std::string bound_;
  bool complained_ = false;
};

}  // namespace

class Server::Impl {
 public:
  Impl(ServerOptions options, Listener& listener, Watcher& watcher)
      : options_(std::move(options)),
        watcher_(watcher),
        wake_(eventfd(0, EFD_NONBLOCK)),
        context_(make_context()),
        pull_(ZMQ_PULL, options_.pull),
        reply_(ZMQ_ROUTER, options_.reply),
        heartbeat_(ZMQ_ROUTER, options_.heartbeat),
        registry_({.worker_timeout = options_.worker_timeout,
                   .heartbeat_url = [this](const std::string& ip) { return heartbeat_url(ip); }},
                  listener) {
    open();
    first_ = {pull_.bound(), reply_.bound(), heartbeat_.bound()};
    thread_ = std::thread([this] { run(); });
  }
  ~Impl() {
    stopping_.store(true, std::memory_order_release);
    const std::uint64_t one = 1;
    static_cast<void>(!::write(wake_, &one, sizeof one));
    thread_.join();
    ::close(wake_);
  }
  const std::string& bound(std::size_t door) const { return first_[door]; }

 private:
  void open() {
    for (Door* door : {&pull_, &reply_, &heartbeat_}) door->open(context_.get());
  }

  std::string heartbeat_url(const std::string& ip) const {
    const std::string& bound = heartbeat_.bound();
    const auto colon = bound.rfind(':');
    if (colon == std::string::npos) return {};
    return options_.own_host(ip) + bound.substr(colon);
  }

  // Sockets belong to this thread from its start on.
  void run() {
    TimePoint next_check = system_clock().now();
    while (!stopping_.load(std::memory_order_acquire)) {
      const TimePoint before = system_clock().now();
      if (before >= next_check) {
        next_check = before + options_.check_interval;
        open();
        registry_.expire(before);
        watcher_.checked(registry_);
      }
      wait(next_check - before);
      const TimePoint now = system_clock().now();
      const bool heard = hear(now) | answer(reply_, now) | answer(heartbeat_, now);
      if (heard) watcher_.checked(registry_);
    }
  }

  void wait(Duration longest) {
    std::vector<zmq_pollitem_t> polls = {{nullptr, wake_, ZMQ_POLLIN, 0}};
    for (Door* door : {&pull_, &reply_, &heartbeat_})
      if (door->socket().open()) polls.push_back({door->socket().get(), 0, ZMQ_POLLIN, 0});
    const auto ms = std::chrono::ceil<std::chrono::milliseconds>(longest).count();
    zmq_poll(polls.data(), static_cast<int>(polls.size()), static_cast<long>(ms));
  }

  std::optional<Message> read(std::string_view frame) {
    auto message = decode(frame);
    const bool understood = message && !std::holds_alternative<Other>(*message);
    watcher_.received(understood);
    if (!message) return std::nullopt;
    return *std::move(message);
  }

  // Workers put what has gathered into one message, a frame each.
  bool hear(TimePoint now) {
    if (!pull_.socket().open()) return false;
    for (int i = 0; i < kMessagesPerTurn; ++i) {
      const auto frames = pull_.socket().receive(limits::kLmcacheFramesMax);
      if (!frames) return i > 0;
      for (const auto& frame : *frames) {
        const auto message = read(frame);
        if (message) registry_.pushed(*message, now);
      }
    }
    return true;
  }

  bool answer(Door& door, TimePoint now) {
    if (!door.socket().open()) return false;
    for (int i = 0; i < kMessagesPerTurn; ++i) {
      const auto frames = door.socket().receive();
      if (!frames) return i > 0;
      // The peer's identity, an empty frame, the message.
      if (frames->size() < 3) continue;
      const auto message = read(frames->back());
      const std::string reply =
          message ? registry_.asked(*message, now) : error_answer("a message that cannot be read");
      door.socket().send({frames->front(), "", reply});
    }
    return true;
  }

  ServerOptions options_;
  Watcher& watcher_;
  int wake_;
  std::atomic<bool> stopping_{false};
  Context context_;
  Door pull_;
  Door reply_;
  Door heartbeat_;
  std::array<std::string, 3> first_;
  Registry registry_;
  std::thread thread_;
};

Server::Server(ServerOptions options, Listener& listener, Watcher& watcher)
    : impl_(std::make_unique<Impl>(std::move(options), listener, watcher)) {}
Server::~Server() = default;
const std::string& Server::pull() const { return impl_->bound(0); }
const std::string& Server::reply() const { return impl_->bound(1); }
const std::string& Server::heartbeat() const { return impl_->bound(2); }

}  // namespace signalbox::kv::lmcache
