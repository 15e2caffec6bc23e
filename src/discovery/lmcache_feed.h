// Brings what LMCache's workers tell the controller (kv/lmcache_server.h) into the index, and finds out which engine each
// instance belongs to: by signalbox.lmcache.engines, else by its name where a backend has the same, else by the worker's
// address where exactly one engine and one instance are there. What cannot be placed, and whose names of chunks cannot be
// repeated here, is said aloud once an instance, with what to do.
//
// apply() comes from one thread; the controller's messages are taken in on its own.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "discovery/endpoint_table.h"
#include "kv/lmcache_server.h"
#include "telemetry/instruments.h"

namespace signalbox::discovery {

// Instance of each engine, by the engine's URL. `instances`: address (or nothing) by name; `is_own`: whether an address is
// this machine's, whose engines may be configured as localhost. Pure.
std::map<std::string, std::string> place_instances(
    std::span<const EndpointEntry> endpoints, const std::map<std::string, std::string>& instances,
    const config::Lmcache& settings, const std::function<bool(const std::string& ip)>& is_own);

class LmcacheFeed final : private kv::lmcache::Listener, private kv::lmcache::Watcher {
 public:
  // `table` and `instruments` outlive this.
  LmcacheFeed(EndpointTable& table, telemetry::Instruments& instruments);
  ~LmcacheFeed() override;

  // Opens the controller with the first set that wants it; finds engines for instances among those of the set.
  void apply(const EndpointSet& set);
  // Addresses that workers connect to: pull, reply, heartbeat; none while the controller is off.
  std::vector<std::string> addresses() const;

 private:
  struct Instance {
    std::shared_ptr<index::ChunkCache> cache;
    std::string ip;
    std::string url;  // of its engine; empty: not placed
    TimePoint since{};
    bool told_unplaced = false;
    bool told_foreign = false;
    bool told_scheme = false;
  };
  void instance(const std::string& name, const std::string& ip, bool anew) override;
  void gone(const std::string& name) override;
  void store(const std::string& name, std::span<const std::uint64_t> chunks,
             kv::Tier tier) override;
  void remove(const std::string& name, std::span<const std::uint64_t> chunks,
              kv::Tier tier) override;
  void clear(const std::string& name, kv::Tier tier) override;
  void clear(const std::string& name) override;
  std::optional<kv::Tier> holds(const std::string& name, std::uint64_t chunk) const override;
  void received(bool understood) override;
  void checked(const kv::lmcache::Registry& registry) override;

  index::ChunkCache* find(const std::string& name) const;
  void place(const EndpointSet& set);
  void show(const std::string& name, const index::ChunkCache& cache);
  void count(const kv::lmcache::Registry::Counts& counts);
  void tell(const std::string& name, Instance& instance, const EndpointSet& set);

  EndpointTable& table_;
  telemetry::Instruments& instruments_;
  mutable std::mutex mutex_;  // guards instances_
  std::map<std::string, Instance> instances_;
  kv::lmcache::Registry::Counts counted_;        // of the controller's thread
  std::unique_ptr<kv::lmcache::Server> server_;  // ends first
};

}  // namespace signalbox::discovery
