#include "discovery/endpoint_table.h"

#include <algorithm>
#include <utility>

#include "base/environment.h"
#include "base/limits.h"

namespace signalbox::discovery {
namespace {

// Parts that cannot occur in URLs or model names separate the key's fields.
std::string turns_key(const std::string& model, const config::BackendRef& backend,
                      const std::string& url) {
  return model + '\n' + url + '\n' + backend.name + '\n' + std::to_string(backend.weight);
}

// An engine of our own kind, and no hosted provider.
bool is_engine(const config::BackendRef& backend) {
  return backend.provider.empty() || backend.provider == "vllm";
}

HealthSettings health_settings(const config::Health& health, const config::Model* model,
                               const config::BackendRef& backend) {
  HealthSettings settings;
  // Hosted providers have no health path, and asking them every few seconds would be rude; ejection still applies.
  settings.active = is_engine(backend);
  settings.path = health.path;
  settings.interval = health.interval;
  settings.timeout = health.timeout;
  settings.unhealthy_after = health.unhealthy_after;
  settings.healthy_after = health.healthy_after;
  settings.eject_after = health.eject_after_failures;
  settings.ejection_time = health.ejection_time;
  settings.ejected_percent_max = health.max_ejection_percent;
  settings.models_interval = health.models_interval;
  if (model == nullptr) return settings;
  const config::Reliability& own = model->reliability;
  if (!own.health_check_path.empty()) {
    settings.path = own.health_check_path;
    settings.active = true;
  }
  if (own.health_check_interval) settings.interval = *own.health_check_interval;
  if (own.health_check_timeout) settings.timeout = *own.health_check_timeout;
  if (own.consecutive_5xx) settings.eject_after = *own.consecutive_5xx;
  if (own.base_ejection_time) settings.ejection_time = *own.base_ejection_time;
  if (own.max_ejection_percent) settings.ejected_percent_max = *own.max_ejection_percent;
  return settings;
}

template <class Map>
auto& find_or_make(Map& map, const typename Map::key_type& key) {
  auto& slot = map[key];
  if (!slot) slot = std::make_shared<typename Map::mapped_type::element_type>();
  return slot;
}

template <class Map>
void erase_unused(Map& map) {
  std::erase_if(map, [](const auto& entry) { return entry.second.use_count() == 1; });
}

}  // namespace

config::BalancerPolicy policy_of(const config::Model* model, const config::Balancer& balancer) {
  if (model == nullptr) return balancer.policy;
  const auto own = balancer.models.find(model->name);
  if (own != balancer.models.end() && own->second.policy) return *own->second.policy;
  if (model->reliability.lb_policy == "round_robin") return config::BalancerPolicy::kRoundRobin;
  if (model->reliability.lb_policy == "least_request") return config::BalancerPolicy::kLeastLoad;
  return balancer.policy;
}

Role role_of(const config::BackendRef& backend, const config::DisaggregatedPrefill& settings) {
  if (!settings.enabled) return Role::kAny;
  const std::string* label = find_backend(settings.labels, backend);
  if (label == nullptr) label = &backend.label;
  const auto among = [label](const std::vector<std::string>& labels) {
    return std::find(labels.begin(), labels.end(), *label) != labels.end();
  };
  const bool prefill = among(settings.prefill_labels);
  const bool decode = among(settings.decode_labels);
  if (prefill == decode) return Role::kAny;
  return prefill ? Role::kPrefill : Role::kDecode;
}

bool ReplicaGroup::disaggregated() const {
  const auto prefills = std::count_if(replicas.begin(), replicas.end(), [](const Replica& replica) {
    return replica.role == Role::kPrefill;
  });
  return prefills > 0 && static_cast<std::size_t>(prefills) < replicas.size();
}

std::vector<Placement> fixed_placements(const config::Config& config) {
  std::vector<Placement> placements;
  for (const config::Model& model : config.providers.models) {
    for (const config::BackendRef& backend : model.backends)
      placements.push_back({model.name, backend});
  }
  for (const config::BackendRef& backend : config.providers.engines)
    placements.push_back({{}, backend});
  return placements;
}

const ReplicaGroup* EndpointSet::find(std::string_view model) const {
  const auto at = group_by_model_.find(model);
  return at == group_by_model_.end() ? nullptr : &groups_[at->second];
}

const EndpointEntry* EndpointSet::find_endpoint(const Endpoint& endpoint) const {
  const auto at = entry_by_endpoint_.find(&endpoint);
  return at == entry_by_endpoint_.end() ? nullptr : &endpoints_[at->second];
}

bool EndpointSet::tells_blocks(const Replica& replica) const {
  return !replica.endpoint->kv().empty() || (lmcache_.enabled && is_engine(replica.backend));
}

const EndpointEntry* EndpointSet::find_id(std::string_view id) const {
  const auto at = std::ranges::find_if(
      endpoints_, [&](const EndpointEntry& entry) { return entry.endpoint->id() == id; });
  return at == endpoints_.end() ? nullptr : &*at;
}

// Adds placements one by one to a new set, reusing what the table knows. Runs under the table's mutex.
struct EndpointTable::Builder {
  EndpointTable& table;
  const config::Config& config;
  EndpointSet& set;

  std::size_t group_index(const std::string& name, const config::Model* model) {
    const auto [at, added] = set.group_by_model_.try_emplace(name, set.groups_.size());
    if (added) {
      set.groups_.push_back({name,
                             policy_of(model, config.own.balancer),
                             {},
                             find_or_make(table.rotations_, name),
                             find_or_make(table.rotations_, name + "\nprefill")});
    }
    return at->second;
  }

  std::size_t entry_index(const config::BackendRef& backend, const config::Model* model,
                          const std::string& url) {
    auto& endpoint = table.endpoints_[url];
    if (!endpoint) {
      net::Address address{backend.host, backend.port, backend.scheme == "https"};
      endpoint = std::make_shared<Endpoint>(
          url, std::move(address), backend.base_path,
          table.prefixes_->add_engine(
              index::units_of_tokens(static_cast<double>(config.own.balancer.cache_tokens))),
          kv_engines(backend));
      endpoint->joined_late_ = !table.current_->endpoints().empty();
    }
    endpoint->set_draining(backend.draining);
    const auto [at, added] =
        set.entry_by_endpoint_.try_emplace(endpoint.get(), set.endpoints_.size());
    if (added) {
      const auto known = table.served_.find(url);
      const auto chunks = table.chunks_.find(url);
      set.endpoints_.push_back({endpoint,
                                health_settings(config.own.health, model, backend),
                                backend,
                                {},
                                known == table.served_.end() ? nullptr : known->second,
                                chunks == table.chunks_.end() ? nullptr : chunks->second});
    }
    return at->second;
  }

  std::vector<std::shared_ptr<index::KvEngine>> kv_engines(
      const config::BackendRef& backend) const {
    std::vector<std::shared_ptr<index::KvEngine>> engines;
    const config::KvEvents& events = config.own.kv_events;
    if (!events.enabled || !is_engine(backend)) return engines;
    const config::KvPublisher* own = find_backend(events.engines, backend);
    const int ranks = own != nullptr && own->data_parallel_ranks > 0 ? own->data_parallel_ranks
                                                                     : events.data_parallel_ranks;
    for (int rank = 0; rank < ranks; ++rank) engines.push_back(table.kv_index_->add_engine());
    return engines;
  }

  void add(const Placement& placement) {
    const config::Model* model = config.find_model(placement.model);
    const std::string url = placement.backend.url();
    if (placement.model.empty()) {
      entry_index(placement.backend, nullptr, url);
      return;
    }
    const std::size_t group = group_index(placement.model, model);
    const std::size_t entry = entry_index(placement.backend, model, url);
    auto& groups = set.endpoints_[entry].groups;
    if (std::find(groups.begin(), groups.end(), group) == groups.end()) groups.push_back(group);
    set.groups_[group].replicas.push_back(
        {set.endpoints_[entry].endpoint, entry, placement.backend,
         find_or_make(table.turns_, turns_key(placement.model, placement.backend, url)),
         role_of(placement.backend, config.own.disaggregated_prefill)});
  }
};

EndpointTable::EndpointTable() {
  auto empty = std::make_shared<EndpointSet>();
  empty->prefixes_ = prefixes_;
  empty->kv_index_ = kv_index_;
  current_ = std::move(empty);
}

std::shared_ptr<const EndpointSet> EndpointTable::publish(const config::Config& config,
                                                          std::span<const Placement> placements) {
  const std::scoped_lock lock(mutex_);
  auto set = std::make_shared<EndpointSet>();
  set->balancer_ = config.own.balancer;
  set->engine_metrics_ = config.own.engine_metrics;
  set->slow_start_ = config.own.health.slow_start;
  set->prefixes_ = prefixes_;
  set->kv_index_ = kv_index_;
  set->kv_events_ = config.own.kv_events;
  set->lmcache_ = config.own.lmcache;
  if (set->lmcache_.enabled && !chunk_schemes_) {
    const std::string& seed = set->lmcache_.hash_seed;
    chunk_schemes_ = std::make_shared<const std::vector<index::ChunkScheme>>(
        index::chunk_schemes(seed.empty() ? environment("PYTHONHASHSEED").value_or("") : seed));
  }
  if (set->lmcache_.enabled) set->chunk_schemes_ = chunk_schemes_;
  set->disaggregated_prefill_ = config.own.disaggregated_prefill;
  Builder builder{*this, config, *set};
  for (const Placement& placement : placements) builder.add(placement);
  return adopt(std::move(set));
}

std::shared_ptr<const EndpointSet> EndpointTable::publish(const config::Config& config) {
  return publish(config, fixed_placements(config));
}

std::shared_ptr<const EndpointSet> EndpointTable::adopt(std::shared_ptr<EndpointSet> set) {
  set->version_ = current_->version_ + 1;
  current_ = std::move(set);
  version_.store(current_->version_, std::memory_order_release);
  drop_unused();
  return current_;
}

// Requests under way may still hold an older set; what they hold stays in the table until a later publish finds it free.
void EndpointTable::drop_unused() {
  erase_unused(endpoints_);
  std::erase_if(served_, [&](const auto& entry) { return !endpoints_.contains(entry.first); });
  erase_unused(turns_);
  erase_unused(rotations_);
}

std::shared_ptr<const EndpointSet> EndpointTable::current() const {
  const std::scoped_lock lock(mutex_);
  return current_;
}

void EndpointTable::learn(const Endpoint& endpoint, ServedModels served) {
  const std::scoped_lock lock(mutex_);
  const EndpointEntry* entry = current_->find_endpoint(endpoint);
  if (entry == nullptr) return;  // removed by a reload while the question was under way
  if (entry->served && *entry->served == served) return;
  auto news = std::make_shared<const ServedModels>(std::move(served));
  served_[endpoint.url()] = news;
  auto set = std::make_shared<EndpointSet>(*current_);
  set->endpoints_[set->entry_by_endpoint_.at(&endpoint)].served = std::move(news);
  adopt(std::move(set));
}

void EndpointTable::place_chunks(std::map<std::string, std::shared_ptr<index::ChunkCache>> by_url) {
  const std::scoped_lock lock(mutex_);
  if (chunks_ == by_url) return;
  chunks_ = std::move(by_url);
  auto set = std::make_shared<EndpointSet>(*current_);
  for (EndpointEntry& entry : set->endpoints_) {
    const auto found = chunks_.find(entry.endpoint->url());
    entry.chunks = found == chunks_.end() ? nullptr : found->second;
  }
  adopt(std::move(set));
}

const std::shared_ptr<const EndpointSet>& EndpointView::set() {
  if (!set_ || set_->version() != table_.version()) set_ = table_.current();
  return set_;
}

}  // namespace signalbox::discovery
