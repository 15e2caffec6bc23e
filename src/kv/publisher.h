// Publishes KV events as an engine does: a ZeroMQ PUB socket, and a ROUTER that sends the last batches again when asked
// (vLLM's ZmqEventPublisher). For the demo engine and for tests. One thread of its own for replays.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "kv/kv_event.h"

namespace signalbox::kv {

struct EventPublisherOptions {
  std::string endpoint = "tcp://127.0.0.1:*";  // a port of * lets the system choose
  std::string replay_endpoint = "tcp://127.0.0.1:*";
  std::string topic;
  std::uint32_t rank = 0;
  std::size_t kept_batches = 10'000;
};

class EventPublisher {
 public:
  // Errors: kIo.
  static Result<std::unique_ptr<EventPublisher>> open(const EventPublisherOptions& options);
  ~EventPublisher();
  EventPublisher(const EventPublisher&) = delete;
  EventPublisher& operator=(const EventPublisher&) = delete;

  // The endpoints bound to.
  const std::string& endpoint() const;
  const std::string& replay_endpoint() const;
  // One batch; from any thread. `silently` keeps it for replay only, as if the network had lost it.
  void publish(double timestamp, const std::vector<NamedEvent>& events, bool silently = false);
  // Bytes of a batch as they are.
  void publish_payload(std::string payload, bool silently = false);

 private:
  class Impl;
  explicit EventPublisher(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace signalbox::kv
