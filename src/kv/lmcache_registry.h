// Which LMCache instances there are, and what is known of what they hold: the controller's side of the protocol without its
// sockets, so that every order of messages and every silence can be tested in virtual time.
//
// An instance is an engine, its workers are the ranks, which store and drop the same chunks side by side (each its part of
// them). So the chunks of one rank stand for the instance's: of the lowest that has spoken. Other ranks are told what they
// ask and their chunks are passed over.
//
// What is known of an instance is void when its leading rank registers anew, leaves, is silent for longer than
// `worker_timeout` (only where it has sent heartbeats before), or when the numbers of its operations show that some were
// lost: wrong knowledge is worse than none. Where the worker can (LMCache 0.5) it is asked with its next heartbeat to tell
// all again, and may go on as soon as that is complete; LMCache's own controller makes it wait until four fifths of all
// workers are. Operations that arrive meanwhile are applied: the batches come behind them on the same socket.
//
// Bounds: kLmcacheInstancesMax, kLmcacheWorkersMax each. Single-threaded.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "kv/lmcache_message.h"

namespace signalbox::kv::lmcache {

// Where chunks of instances are kept, and who wants to hear of instances.
class Listener {
 public:
  virtual ~Listener() = default;
  // The instance is new, began anew (`anew`: it holds nothing, and may be another version), or is elsewhere.
  virtual void instance(const std::string& name, const std::string& ip, bool anew) = 0;
  virtual void gone(const std::string& name) = 0;
  virtual void store(const std::string& name, std::span<const std::uint64_t> chunks, Tier tier) = 0;
  virtual void remove(const std::string& name, std::span<const std::uint64_t> chunks,
                      Tier tier) = 0;
  virtual void clear(const std::string& name, Tier tier) = 0;
  virtual void clear(const std::string& name) = 0;
  virtual std::optional<Tier> holds(const std::string& name, std::uint64_t chunk) const = 0;
};

struct RegistryOptions {
  Duration worker_timeout = std::chrono::seconds(30);
  // The heartbeat socket as a worker of that address reaches it, HOST:PORT; empty: no heartbeats.
  std::function<std::string(const std::string& ip)> heartbeat_url;
};

class Registry {
 public:
  // `listener` outlives this.
  Registry(RegistryOptions options, Listener& listener)
      : options_(std::move(options)), listener_(listener) {}

  // A message of the socket that answers nothing.
  void pushed(const Message& message, TimePoint now);
  // A message of a socket that answers; the answer.
  std::string asked(const Message& message, TimePoint now);
  // Drops workers that have been silent for too long.
  void expire(TimePoint now);

  std::size_t instances() const { return instances_.size(); }
  std::size_t workers() const;
  // Since the start, for metrics.
  struct Counts {
    std::uint64_t gaps = 0;         // operations were lost
    std::uint64_t syncs_asked = 0;  // of workers, with a heartbeat
    std::uint64_t syncs_done = 0;
    std::uint64_t expired = 0;  // workers
    std::uint64_t refused = 0;  // messages over the bounds
  };
  const Counts& counts() const { return counts_; }

 private:
  struct Sync {
    std::string id;
    std::string location;
    std::uint64_t batches = 0;
    std::set<std::uint64_t> received;
    bool ended = false;
    bool done = false;  // seen to be complete
    bool complete() const { return ended && received.size() >= batches; }
  };
  struct WorkerState {
    std::string peer_url;
    TimePoint last_heard{};
    bool registered = false;  // told us where it is
    bool beats = false;       // sends heartbeats
    // What it holds is not known from its beginning on: it should tell all.
    bool stale = false;
    std::optional<TimePoint> sync_asked;
    std::optional<Sync> sync;
    std::map<std::string, std::int64_t> last_number;  // by location
  };
  struct Instance {
    std::string ip;
    std::map<std::uint32_t, WorkerState> workers;
    std::map<Tier, std::string> locations;  // as the leading rank calls them
  };
  using Place = std::pair<const std::string, Instance>;

  struct Found {
    Place* place = nullptr;
    WorkerState* state = nullptr;
    bool leads = false;
  };
  // The worker's state, made if need be; nothing beyond the bounds.
  std::optional<Found> find_or_make(const Worker& worker, TimePoint now);
  Found find(const Worker& worker);
  bool begin(const Presence& presence, TimePoint now);
  void beat(const Presence& presence, TimePoint now);
  void leave(const Worker& worker);
  void drop(Place& place, std::uint32_t rank);
  void apply(const Operations& operations, TimePoint now);
  // Notes the operations' numbers; true: some before them are missing.
  static bool lost_some(WorkerState& state, const Operations& operations);
  void lose(const Found& found);
  std::string heartbeat(const Presence& presence, TimePoint now);
  std::string start_sync(const SyncStart& start, TimePoint now);
  void take(const SyncBatch& batch, TimePoint now);
  void end_sync(const SyncEnd& end, TimePoint now);
  void note_if_complete(WorkerState& state);
  std::string status(const SyncStatus& asked, TimePoint now);
  std::string find_peer(const PeerLookup& lookup) const;
  double in_sync() const;

  RegistryOptions options_;
  Listener& listener_;
  std::map<std::string, Instance> instances_;
  Counts counts_;
};

}  // namespace signalbox::kv::lmcache
