// Brings the KV events of the engines of the current set (src/kv/) into their caches (index/kv_index.h). Endpoints are
// those of signalbox.kv_events: a port on each engine's host, or what `engines` says; rank r publishes r ports further.
// apply() comes from one thread; events are taken in on the subscriber's own.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "discovery/endpoint_table.h"
#include "kv/subscriber.h"
#include "telemetry/instruments.h"

namespace signalbox::discovery {

// Publishers of one engine, by rank.
std::vector<kv::Publisher> publishers_of(const config::BackendRef& backend,
                                         const config::KvEvents& settings);

class KvFeed final : private kv::Listener {
 public:
  explicit KvFeed(telemetry::Instruments& instruments);
  ~KvFeed() override;

  // Follows exactly the engines of the set. No thread runs before the first engine is followed.
  void apply(const EndpointSet& set);

 private:
  struct Link {
    std::shared_ptr<index::KvEngine> engine;
    std::string url;
    std::uint64_t window_groups = 0;  // bits of groups of layers that hold no whole prefix
  };
  void batch(std::uint64_t id, kv::Batch batch, kv::Source source) override;
  void lost(std::uint64_t id) override;
  void malformed(std::uint64_t id) override;
  void take(Link& link, const kv::Stored& stored);
  void take(Link& link, const kv::Removed& removed);
  void take(Link& link, const kv::Cleared& cleared);
  Link* find(std::uint64_t id);
  void show(const Link& link);

  telemetry::Instruments& instruments_;
  std::mutex mutex_;  // guards links_
  std::map<std::uint64_t, Link> links_;
  std::map<const index::KvEngine*, std::uint64_t> ids_;  // of links_
  std::uint64_t next_id_ = 1;
  std::unique_ptr<kv::Subscriber> subscriber_;  // ends first
};

}  // namespace signalbox::discovery
