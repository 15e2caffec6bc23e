// The table of replicas: which model is served where, as immutable snapshots (EndpointSet) over stable Endpoint objects.
// A request takes one set when it starts and keeps it; reloads and newly learnt adapters publish new sets beside it.
//
// Threads: publish(), learn() and current() from any thread; report() from any thread, without a lock unless it ejects.
// Bound: endpoints and rotation state are dropped when no set holds them any more, so memory follows the configuration.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "config/model.h"
#include "discovery/discovery.h"
#include "discovery/endpoint.h"
#include "discovery/served_models.h"
#include "index/chunk_cache.h"
#include "index/kv_index.h"
#include "index/prefix_index.h"

namespace signalbox::discovery {

// How one endpoint is watched: `signalbox.health`, with the reliability block of the first model that lists it on top.
struct HealthSettings {
  bool active = true;  // false: a hosted provider without a health path of its own
  std::string path;    // below the endpoint's base path
  Duration interval{};
  Duration timeout{};
  int unhealthy_after = 3;   // consecutive failed checks
  int healthy_after = 1;     // consecutive good checks
  int eject_after = 5;       // consecutive failed requests
  Duration ejection_time{};  // of the first ejection; doubles
  int ejected_percent_max = 50;
  Duration models_interval{};  // between two looks at what the engine serves
  friend bool operator==(const HealthSettings&, const HealthSettings&) = default;
};

// Turns that a replica of one model has had; see balancer/rotation.h. Shared by all cores, survives reload.
struct alignas(kCacheLineBytes) Turns {
  std::atomic<std::uint64_t> taken{0};
};
// Virtual time of one model's rotation.
struct alignas(kCacheLineBytes) Rotation {
  std::atomic<double> now{0};
};

// Half of a request that a replica computes (signalbox.disaggregated_prefill).
enum class Role : std::uint8_t { kAny, kPrefill, kDecode };

// Value of a backend in one of the maps of configuration that are keyed by backend name, host:port or host; the most
// exact key wins. nullptr: none.
template <class T>
const T* find_backend(const std::map<std::string, T>& values, const config::BackendRef& backend) {
  if (values.empty()) return nullptr;
  for (const auto& key :
       {backend.name, backend.host + ':' + std::to_string(backend.port), backend.host}) {
    if (const auto at = values.find(key); at != values.end()) return &at->second;
  }
  return nullptr;
}
// From the backend's label; without one, or with one of both lists, kAny.
Role role_of(const config::BackendRef& backend, const config::DisaggregatedPrefill& settings);

// One (model, backend) pair.
struct Replica {
  std::shared_ptr<Endpoint> endpoint;
  std::size_t endpoint_index = 0;  // into EndpointSet::endpoints()
  config::BackendRef backend;
  std::shared_ptr<Turns> turns;
  Role role = Role::kAny;
  int weight() const { return backend.weight; }
};

// All replicas of one model, in the order of the file.
struct ReplicaGroup {
  std::string model;
  config::BalancerPolicy policy = config::BalancerPolicy::kRoundRobin;
  std::vector<Replica> replicas;
  std::shared_ptr<Rotation> rotation;
  std::shared_ptr<Rotation> prefill_rotation;  // of replicas with Role::kPrefill
  Rotation& rotation_of(const Replica& replica) const {
    return replica.role == Role::kPrefill ? *prefill_rotation : *rotation;
  }
  // Some replicas compute prompts only, and some others answers.
  bool disaggregated() const;
};

// One endpoint of a set, whatever number of models it serves.
struct EndpointEntry {
  std::shared_ptr<Endpoint> endpoint;
  HealthSettings health;
  config::BackendRef backend;       // the first one that names it: credentials for probes
  std::vector<std::size_t> groups;  // indices of the groups it is in, each once
  std::shared_ptr<const ServedModels> served;  // nullptr: not known
  std::shared_ptr<index::ChunkCache> chunks;   // its LMCache's; nullptr: none has registered
};

// The policy that a model's replicas are chosen by: its own under signalbox.balancer.models, else what its
// reliability.lb_policy says, else the common one. `model` may be nullptr.
config::BalancerPolicy policy_of(const config::Model* model, const config::Balancer& balancer);

class EndpointSet {
 public:
  // The group of that model, or nullptr. O(1).
  const ReplicaGroup* find(std::string_view model) const;
  std::span<const ReplicaGroup> groups() const { return groups_; }
  std::span<const EndpointEntry> endpoints() const { return endpoints_; }
  const EndpointEntry* find_endpoint(const Endpoint& endpoint) const;
  const config::Balancer& balancer() const { return balancer_; }
  const config::EngineMetrics& engine_metrics() const { return engine_metrics_; }
  // How long an engine that is new or back takes to its full share.
  Duration slow_start() const { return slow_start_; }
  // The endpoint of that id, or nullptr. O(endpoints).
  const EndpointEntry* find_id(std::string_view id) const;
  const config::KvEvents& kv_events() const { return kv_events_; }
  const config::DisaggregatedPrefill& disaggregated_prefill() const {
    return disaggregated_prefill_;
  }
  const config::Lmcache& lmcache() const { return lmcache_; }
  // By which LMCache may name its chunks; empty where its controller is off.
  std::span<const index::ChunkScheme> chunk_schemes() const {
    return chunk_schemes_ ? std::span<const index::ChunkScheme>(*chunk_schemes_)
                          : std::span<const index::ChunkScheme>();
  }
  // Whether the engine tells, or may tell, what it holds, so that the ids of its prompts are worth asking for.
  bool tells_blocks(const Replica& replica) const;
  index::KvIndex* kv_index() const { return kv_index_.get(); }
  // Of the table, shared by all its sets. Never nullptr in a set that a table published.
  index::PrefixIndex* prefixes() const { return prefixes_.get(); }
  // Grows with every set that a table publishes.
  std::uint64_t version() const { return version_; }

 private:
  friend class EndpointTable;
  struct NameHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view name) const {
      return std::hash<std::string_view>{}(name);
    }
  };
  std::vector<ReplicaGroup> groups_;
  std::vector<EndpointEntry> endpoints_;
  std::unordered_map<std::string, std::size_t, NameHash, std::equal_to<>> group_by_model_;
  std::unordered_map<const Endpoint*, std::size_t> entry_by_endpoint_;
  config::Balancer balancer_;
  config::EngineMetrics engine_metrics_;
  Duration slow_start_{};
  config::KvEvents kv_events_;
  config::Lmcache lmcache_;
  std::shared_ptr<const std::vector<index::ChunkScheme>> chunk_schemes_;
  config::DisaggregatedPrefill disaggregated_prefill_;
  std::shared_ptr<index::KvIndex> kv_index_;
  std::shared_ptr<index::PrefixIndex> prefixes_;
  std::uint64_t version_ = 0;
};

// How a request at an endpoint ended, as far as the endpoint is to blame. kUnreachable: no connection came about, so
// nothing was sent. kNeutral: cancelled, or 429; other statuses below 500 are a success.
enum class Outcome : std::uint8_t { kSuccess, kFailure, kUnreachable, kNeutral };
enum class Transition : std::uint8_t { kNone, kEjected, kReturned };

class EndpointTable {
 public:
  EndpointTable();
  EndpointTable(const EndpointTable&) = delete;
  EndpointTable& operator=(const EndpointTable&) = delete;

  // Builds and publishes the set of a configuration; endpoints and rotations known by URL keep their state. Placements
  // without a model are watched and serve nothing until the configuration names a model there.
  std::shared_ptr<const EndpointSet> publish(const config::Config& config,
                                             std::span<const Placement> placements);
  std::shared_ptr<const EndpointSet> publish(const config::Config& config);  // with its fixed list

  std::shared_ptr<const EndpointSet> current() const;
  // Of the current set, without a lock.
  std::uint64_t version() const { return version_.load(std::memory_order_acquire); }

  // What an engine said about its models; publishes a new set if that is news.
  void learn(const Endpoint& endpoint, ServedModels served);

  // What the LMCache of engines holds, by the engine's URL; publishes a new set if that is news. Engines that are not named
  // have none.
  void place_chunks(std::map<std::string, std::shared_ptr<index::ChunkCache>> by_url);

  // Result of one request. `eject_after` failures in a row, or one failed trial, eject the endpoint for a time that
  // doubles up to limits::kEjectionGrowthMax times the first, unless that would leave a model with
  // several replicas without a usable one, or eject more than the allowed share. The share does not protect what
  // cannot be reached: it keeps a fault that all engines have from being blamed on some, and who refuses connections
  // has a fault of its own. A success ends the ejection of a half-open endpoint.
  Transition report(const EndpointSet& set, Endpoint& endpoint, Outcome outcome, TimePoint now);

  // Ejections since the start, for metrics.
  std::uint64_t ejections_total() const { return ejections_total_.load(std::memory_order_relaxed); }

 private:
  struct Builder;
  std::shared_ptr<const EndpointSet> adopt(std::shared_ptr<EndpointSet> set);
  void drop_unused();
  Transition eject(const EndpointSet& set, const EndpointEntry& entry, Outcome outcome,
                   TimePoint now);
  Transition fail_once(const EndpointSet& set, const EndpointEntry& entry, Outcome outcome,
                       TimePoint now);

  const std::shared_ptr<index::PrefixIndex> prefixes_ = std::make_shared<index::PrefixIndex>();
  const std::shared_ptr<index::KvIndex> kv_index_ = std::make_shared<index::KvIndex>();
  mutable std::mutex mutex_;  // guards everything below but the atomics
  std::map<std::string, std::shared_ptr<Endpoint>> endpoints_;  // by URL
  std::map<std::string, std::shared_ptr<Turns>> turns_;         // by model, URL, name and weight
  std::map<std::string, std::shared_ptr<Rotation>> rotations_;  // by model
  std::map<std::string, std::shared_ptr<const ServedModels>> served_;  // by URL
  std::map<std::string, std::shared_ptr<index::ChunkCache>> chunks_;   // by URL
  // Of the first configuration with LMCache: caches know their scheme by its place in the list.
  std::shared_ptr<const std::vector<index::ChunkScheme>> chunk_schemes_;
  std::shared_ptr<const EndpointSet> current_;
  std::atomic<std::uint64_t> version_{0};
  std::mutex ejection_mutex_;  // one ejection at a time, so that the floor holds exactly
  std::atomic<std::uint64_t> ejections_total_{0};
};

// One core's copy of the current set: looking at it costs one atomic load unless a new set was published.
class EndpointView {
 public:
  explicit EndpointView(const EndpointTable& table) : table_(table) {}
  const std::shared_ptr<const EndpointSet>& set();

 private:
  const EndpointTable& table_;
  std::shared_ptr<const EndpointSet> set_;
};

}  // namespace signalbox::discovery
