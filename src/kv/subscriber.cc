#include "kv/subscriber.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/text.h"
#include "kv/follower.h"
#include "kv/socket.h"

namespace signalbox::kv {
namespace {

constexpr std::chrono::seconds kReplaySilence{2};
constexpr int kReplayPollMs = 100;
constexpr int kMessagesPerTurn = 64;  // of one publisher, before the others get a turn
constexpr int kEvents = ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED;
constexpr std::uint64_t kReplayEnd = ~std::uint64_t{0};  // number of the message behind a replay

std::optional<std::uint64_t> number_of(const std::string& frame) {
  if (frame.size() != sizeof(std::uint64_t)) return std::nullopt;
  std::uint64_t number = 0;
  for (const char c : frame) number = number << 8 | static_cast<unsigned char>(c);
  return number;
}

std::string frame_of(std::uint64_t number) {
  std::string frame;
  for (int shift = 56; shift >= 0; shift -= 8) frame += static_cast<char>(number >> shift & 0xff);
  return frame;
}

// A publisher's sockets around its follower.
class Link {
 public:
  Link(void* context, Publisher publisher, Listener& listener, std::uint64_t serial)
      : context_(context),
        follower_(std::move(publisher), listener),
        subscription_(context, ZMQ_SUB),
        monitor_(subscription_.monitor(context, "monitor-" + std::to_string(serial), kEvents)) {}

  Result<void> open() {
    subscription_.set(ZMQ_RCVHWM, limits::kKvReceiveQueueMax);
    subscription_.subscribe(follower_.publisher().topic);
    return subscription_.connect(follower_.publisher().endpoint);
  }
  const Publisher& publisher() const { return follower_.publisher(); }
  bool replaying() const { return replay_.open(); }

  void add_polls(std::vector<zmq_pollitem_t>& polls) const {
    polls.push_back({subscription_.get(), 0, ZMQ_POLLIN, 0});
    polls.push_back({monitor_.get(), 0, ZMQ_POLLIN, 0});
    if (replay_.open()) polls.push_back({replay_.get(), 0, ZMQ_POLLIN, 0});
  }

  // Reads what waits on all its sockets. The connection's state comes before what came through it.
  void turn(TimePoint now) {
    read_events();
    read_replay(now);
    for (int i = 0; i < kMessagesPerTurn; ++i) {
      auto frames = subscription_.receive();
      if (!frames) break;
      const auto number = frames->size() == 3 ? number_of((*frames)[1]) : std::nullopt;
      if (number) follower_.live(*number, std::move((*frames)[2]));
    }
    ask_for_replay(now);
  }

 private:
  void read_events() {
    while (const auto frames = monitor_.receive()) {
      std::uint16_t event = 0;
      if (frames->empty() || frames->front().size() < sizeof event) continue;
      std::memcpy(&event, frames->front().data(), sizeof event);
      if (event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED) follower_.connected();
      if (event == ZMQ_EVENT_DISCONNECTED) follower_.disconnected();
    }
  }

  // Frames of a replayed batch: an empty one, the topic (not from old publishers), number, payload.
  void read_replay(TimePoint now) {
    if (!replay_.open()) return;
    if (!follower_.replaying()) {
      replay_ = Socket();
      return;
    }
    while (auto frames = replay_.receive()) {
      if (frames->size() < 3) continue;
      last_replayed_at_ = now;
      const auto number = number_of((*frames)[frames->size() - 2]);
      if (number == kReplayEnd) {
        end_replay();
        return;
      }
      if (number) follower_.replayed(*number, frames->back());
    }
    if (now - last_replayed_at_ > kReplaySilence) end_replay();
  }

  void end_replay() {
    replay_ = Socket();
    follower_.replay_ended();
  }

  void ask_for_replay(TimePoint now) {
    if (!follower_.replaying() || asked_ == follower_.replays()) return;
    asked_ = follower_.replays();
    last_replayed_at_ = now;
    replay_ = Socket(context_, ZMQ_DEALER);
    replay_.set(ZMQ_RCVHWM, static_cast<int>(limits::kKvReplayBatchesMax));
    const std::string from = frame_of(follower_.replay_from());
    if (!replay_.connect(publisher().replay_endpoint) || !replay_.send({"", from})) end_replay();
  }

  void* context_;
  Follower follower_;
  Socket subscription_;
  Socket monitor_;
  Socket replay_;  // open while a replay is under way
  std::uint64_t asked_ = 0;
  TimePoint last_replayed_at_{};
};

}  // namespace

std::string endpoint_of_rank(const std::string& endpoint, int rank) {
  const auto colon = endpoint.rfind(':');
  if (rank == 0 || colon == std::string::npos) return endpoint;
  const auto port = parse_uint(std::string_view(endpoint).substr(colon + 1));
  if (!port) return endpoint;
  return endpoint.substr(0, colon + 1) + std::to_string(*port + static_cast<std::uint64_t>(rank));
}

class Subscriber::Impl {
 public:
  explicit Impl(Listener& listener) : listener_(listener), wake_(eventfd(0, EFD_NONBLOCK)) {}
  ~Impl() {
    {
      const std::scoped_lock lock(mutex_);
      stopping_ = true;
    }
    wake();
    if (thread_.joinable()) thread_.join();
    ::close(wake_);
  }

  void follow(std::vector<Publisher> publishers) {
    {
      const std::scoped_lock lock(mutex_);
      wanted_ = std::move(publishers);
      if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
    }
    wake();
  }

 private:
  void wake() const {
    const std::uint64_t one = 1;
    static_cast<void>(!::write(wake_, &one, sizeof one));
  }

  void run() {
    const Context context = make_context();
    std::deque<std::unique_ptr<Link>> links;
    std::vector<zmq_pollitem_t> polls;
    while (take_orders(context.get(), links)) {
      polls.assign(1, {nullptr, wake_, ZMQ_POLLIN, 0});
      bool replaying = false;
      for (const auto& link : links) {
        link->add_polls(polls);
        replaying = replaying || link->replaying();
      }
      zmq_poll(polls.data(), static_cast<int>(polls.size()), replaying ? kReplayPollMs : -1);
      std::uint64_t wakes = 0;
      static_cast<void>(!::read(wake_, &wakes, sizeof wakes));
      const TimePoint now = system_clock().now();
      for (const auto& link : links) link->turn(now);
    }
  }

  // False at the end.
  bool take_orders(void* context, std::deque<std::unique_ptr<Link>>& links) {
    std::optional<std::vector<Publisher>> wanted;
    {
      const std::scoped_lock lock(mutex_);
      if (stopping_) return false;
      wanted = std::exchange(wanted_, std::nullopt);
    }
    if (!wanted) return true;
    std::deque<std::unique_ptr<Link>> kept;
    for (auto& publisher : *wanted) {
      const auto known = std::find_if(links.begin(), links.end(), [&](const auto& link) {
        return link && link->publisher() == publisher;
      });
      if (known != links.end()) {
        kept.push_back(std::move(*known));
        continue;
      }
      auto link = std::make_unique<Link>(context, std::move(publisher), listener_, ++serial_);
      if (const auto opened = link->open(); !opened) {
        log::error("KV events: {}", opened.error().message);
        continue;
      }
      kept.push_back(std::move(link));
    }
    links = std::move(kept);
    return true;
  }

  Listener& listener_;
  int wake_;
  std::mutex mutex_;  // guards wanted_, stopping_ and the start of thread_
  std::optional<std::vector<Publisher>> wanted_;
  bool stopping_ = false;
  std::thread thread_;
  std::uint64_t serial_ = 0;
};

Subscriber::Subscriber(Listener& listener) : impl_(std::make_unique<Impl>(listener)) {}
Subscriber::~Subscriber() = default;
void Subscriber::follow(std::vector<Publisher> publishers) { impl_->follow(std::move(publishers)); }

}  // namespace signalbox::kv
