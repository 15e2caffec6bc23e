// Follows the KV events of many engines: one thread, one ZeroMQ SUB socket a publisher, and a DEALER to its replay socket
// while something is missing. What it tells its listener is complete and in order, or says that it is not: batches that
// were missed are asked for again; where they cannot be had, or the connection broke (the engine may have been restarted),
// `lost` tells that everything known about the publisher is void.
//
// Bounds: kKvReceiveQueueMax messages wait in a socket (libzmq drops more, which shows as a gap), kKvReplayBatchesMax
// batches wait behind a replay, a message has at most kKvMessageBytesMax. Connecting again is libzmq's work, every 0.1 to
// 5 s; a peer that is silent on the wire for 15 s is taken for dead.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "kv/kv_event.h"

namespace signalbox::kv {

struct Publisher {
  std::uint64_t id = 0;         // the caller's name for it
  std::string endpoint;         // tcp://HOST:PORT
  std::string replay_endpoint;  // empty: what is missed is lost
  std::string topic;
  bool operator==(const Publisher&) const = default;
};

// Port of data-parallel rank `rank`, as vLLM's publishers count: "tcp://host:5557" and 2 give "tcp://host:5559".
std::string endpoint_of_rank(const std::string& endpoint, int rank);

enum class Source : std::uint8_t { kLive, kReplayed };

// Called on the subscriber's thread.
class Listener {
 public:
  virtual ~Listener() = default;
  virtual void batch(std::uint64_t id, Batch batch, Source source) = 0;
  // Batches are missing for good, or the publisher began anew.
  virtual void lost(std::uint64_t id) = 0;
  virtual void malformed(std::uint64_t id) = 0;
};

class Subscriber {
 public:
  // The thread starts with the first follow(). `listener` outlives this.
  explicit Subscriber(Listener& listener);
  ~Subscriber();  // ends the thread
  Subscriber(const Subscriber&) = delete;
  Subscriber& operator=(const Subscriber&) = delete;

  // From any thread: exactly these from now on. One that cannot be connected to (a name that is no endpoint) is reported
  // in the log and left out.
  void follow(std::vector<Publisher> publishers);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace signalbox::kv
