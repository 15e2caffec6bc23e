#include "kv/publisher.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <deque>
#include <mutex>
#include <thread>
#include <utility>

#include "kv/socket.h"

namespace signalbox::kv {
namespace {

std::string frame_of(std::uint64_t number) {
  std::string frame;
  for (int shift = 56; shift >= 0; shift -= 8) frame += static_cast<char>(number >> shift & 0xff);
  return frame;
}

std::uint64_t number_of(const std::string& frame) {
  std::uint64_t number = 0;
  for (const char c : frame) number = number << 8 | static_cast<unsigned char>(c);
  return number;
}

}  // namespace

class EventPublisher::Impl {
 public:
  explicit Impl(const EventPublisherOptions& options)
      : options_(options),
        context_(make_context()),
        pub_(context_.get(), ZMQ_PUB),
        router_(context_.get(), ZMQ_ROUTER),
        wake_(eventfd(0, EFD_NONBLOCK)) {}
  ~Impl() {
    {
      const std::scoped_lock lock(mutex_);
      stopping_ = true;
    }
    wake();
    if (thread_.joinable()) thread_.join();
    ::close(wake_);
  }

  Result<void> open() {
    // Replays are sent in one go.
    router_.set(ZMQ_SNDHWM, static_cast<int>(options_.kept_batches) + 1);
    SBX_TRY(endpoint_, pub_.bind(options_.endpoint));
    SBX_TRY(replay_endpoint_, router_.bind(options_.replay_endpoint));
    thread_ = std::thread([this] { run(); });
    return {};
  }
  void publish(std::string payload, bool silently) {
    {
      const std::scoped_lock lock(mutex_);
      unsent_.emplace_back(std::move(payload), silently);
    }
    wake();
  }
  const EventPublisherOptions& options() const { return options_; }
  const std::string& endpoint() const { return endpoint_; }
  const std::string& replay_endpoint() const { return replay_endpoint_; }

 private:
  void wake() const {
    const std::uint64_t one = 1;
    static_cast<void>(!::write(wake_, &one, sizeof one));
  }

  // Sockets belong to this thread from open() on.
  void run() {
    for (;;) {
      zmq_pollitem_t polls[] = {{router_.get(), 0, ZMQ_POLLIN, 0}, {nullptr, wake_, ZMQ_POLLIN, 0}};
      zmq_poll(polls, 2, -1);
      std::uint64_t wakes = 0;
      static_cast<void>(!::read(wake_, &wakes, sizeof wakes));
      std::deque<std::pair<std::string, bool>> batches;
      {
        const std::scoped_lock lock(mutex_);
        if (stopping_) return;
        batches.swap(unsent_);
      }
      for (auto& [payload, silently] : batches) send(std::move(payload), silently);
      while (const auto request = router_.receive()) replay(*request);
    }
  }

  void send(std::string payload, bool silently) {
    const std::string number = frame_of(next_);
    if (!silently) pub_.send({options_.topic, number, payload});
    kept_.emplace_back(next_++, std::move(payload));
    if (kept_.size() > options_.kept_batches) kept_.pop_front();
  }

  void replay(const Frames& request) {
    if (request.size() != 3) return;
    const std::string& client = request[0];
    const std::uint64_t from = number_of(request[2]);
    for (const auto& [number, payload] : kept_) {
      if (number >= from) router_.send({client, "", options_.topic, frame_of(number), payload});
    }
    router_.send({client, "", "", frame_of(~std::uint64_t{0}), ""});
  }

  EventPublisherOptions options_;
  Context context_;
  Socket pub_;
  Socket router_;
  std::string endpoint_;
  std::string replay_endpoint_;
  int wake_;
  std::mutex mutex_;  // guards unsent_ and stopping_
  std::deque<std::pair<std::string, bool>> unsent_;
  bool stopping_ = false;
  std::deque<std::pair<std::uint64_t, std::string>> kept_;
  std::uint64_t next_ = 0;
  std::thread thread_;
};

EventPublisher::EventPublisher(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
EventPublisher::~EventPublisher() = default;

Result<std::unique_ptr<EventPublisher>> EventPublisher::open(const EventPublisherOptions& options) {
  auto impl = std::make_unique<Impl>(options);
  SBX_CHECK_OK(impl->open());
  return std::unique_ptr<EventPublisher>(new EventPublisher(std::move(impl)));
}

const std::string& EventPublisher::endpoint() const { return impl_->endpoint(); }
const std::string& EventPublisher::replay_endpoint() const { return impl_->replay_endpoint(); }

void EventPublisher::publish(double timestamp, const std::vector<NamedEvent>& events,
                             bool silently) {
  impl_->publish(encode_batch(timestamp, events, impl_->options().rank), silently);
}

void EventPublisher::publish_payload(std::string payload, bool silently) {
  impl_->publish(std::move(payload), silently);
}

}  // namespace signalbox::kv
