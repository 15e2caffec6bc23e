// A fleet for tests: models, backends and candidates without a configuration file.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "balancer/balancer.h"
#include "discovery/endpoint_table.h"

namespace signalbox::balancer {

class TestFleet {
 public:
  using Hosts = std::vector<std::pair<std::string, int>>;  // host, weight

  explicit TestFleet(config::BalancerPolicy policy) {
    config_.own.balancer.policy = policy;
    config_.own.health.eject_after_failures = 1;
    config_.own.health.max_ejection_percent = 100;
  }

  TestFleet& add(const std::string& model, const Hosts& hosts) {
    config::Model entry;
    entry.name = model;
    for (const auto& [host, weight] : hosts) {
      config::BackendRef backend;
      backend.host = host;
      backend.port = 8000;
      backend.weight = weight;
      entry.backends.push_back(backend);
    }
    config_.providers.models.push_back(std::move(entry));
    publish();
    return *this;
  }

  void publish() { set = table.publish(config_); }
  config::Config& config() { return config_; }

  std::vector<exchange::Candidate> candidates(const std::vector<std::string>& models) const {
    std::vector<exchange::Candidate> list;
    for (const auto& name : models) {
      exchange::Candidate candidate;
      candidate.model = config_.find_model(name);
      candidate.upstream_name = name;
      candidate.public_name = name;
      list.push_back(std::move(candidate));
    }
    return list;
  }

  Context context() const {
    Context context;
    context.set = set.get();
    context.now = now;
    return context;
  }

  discovery::Endpoint& endpoint(const std::string& host) const {
    for (const auto& entry : set->endpoints()) {
      if (entry.backend.host == host) return *entry.endpoint;
    }
    std::abort();
  }

  void eject(const std::string& host) {
    table.report(*set, endpoint(host), discovery::Outcome::kFailure, now);
  }

  discovery::EndpointTable table;
  std::shared_ptr<const discovery::EndpointSet> set;
  Balancer balancer;
  TimePoint now = TimePoint{} + std::chrono::hours(1);

 private:
  config::Config config_;
};

inline const std::string& host_of(const Pick& pick) { return pick.replica->backend.host; }

}  // namespace signalbox::balancer
