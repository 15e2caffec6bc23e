#include "discovery/lmcache_feed.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/log.h"
#include "net/own_address.h"

namespace signalbox::discovery {
namespace {

// Engines and their workers come in any order; an instance that is without one for so long is worth a word.
constexpr std::chrono::seconds kPlacingTime{15};

bool is_loopback(const std::string& host) {
  return host == "localhost" || host.starts_with("127.") || host == "::1";
}

// The host that tcp://HOST:PORT listens at, as written; empty where it is all of them.
std::string_view one_host(std::string_view url) {
  constexpr std::string_view kScheme = "tcp://";
  if (url.starts_with(kScheme)) url.remove_prefix(kScheme.size());
  const std::string_view host = url.substr(0, url.rfind(':'));
  const bool all = host == "*" || host == "0.0.0.0" || host == "[::]";
  return all ? std::string_view() : host;
}

std::string own_host(const config::Lmcache& settings, const std::string& ip) {
  if (settings.advertised_host.empty()) {
    if (const auto host = one_host(settings.heartbeat); !host.empty()) return std::string(host);
  }
  const std::string host = !settings.advertised_host.empty()
                               ? settings.advertised_host
                               : net::own_address_towards(ip).value_or("127.0.0.1");
  return host.find(':') == std::string::npos ? host : '[' + host + ']';
}

bool is_own_address(const std::string& ip) {
  return is_loopback(ip) || net::own_address_towards(ip) == ip;
}

// Named by the configuration, or of the same name as a backend.
const std::string* named_instance(const EndpointEntry& entry,
                                  const std::map<std::string, std::string>& instances,
                                  const config::Lmcache& settings) {
  if (const auto* own = find_backend(settings.engines, entry.backend)) return own;
  const auto same = instances.find(entry.backend.name);
  return same == instances.end() ? nullptr : &same->first;
}

}  // namespace

std::map<std::string, std::string> place_instances(
    std::span<const EndpointEntry> endpoints, const std::map<std::string, std::string>& instances,
    const config::Lmcache& settings, const std::function<bool(const std::string& ip)>& is_own) {
  std::map<std::string, std::string> placed;
  std::map<std::string, std::vector<std::string>> engines_at;    // URLs by host
  std::map<std::string, std::vector<std::string>> instances_at;  // names by host
  static const std::string kHere = "localhost";
  for (const EndpointEntry& entry : endpoints) {
    const std::string& host = entry.endpoint->address().host;
    if (const auto* name = named_instance(entry, instances, settings)) {
      if (instances.contains(*name)) placed[entry.endpoint->url()] = *name;
    } else {
      engines_at[is_loopback(host) ? kHere : host].push_back(entry.endpoint->url());
    }
  }
  for (const auto& [name, ip] : instances) {
    const bool taken =
        std::ranges::any_of(placed, [&](const auto& entry) { return entry.second == name; });
    if (taken || ip.empty()) continue;
    const bool here = !engines_at.contains(ip) && engines_at.contains(kHere) && is_own(ip);
    instances_at[here ? kHere : ip].push_back(name);
  }
  for (const auto& [host, names] : instances_at) {
    const auto engines = engines_at.find(host);
    if (engines != engines_at.end() && engines->second.size() == 1 && names.size() == 1)
      placed[engines->second.front()] = names.front();
  }
  return placed;
}

LmcacheFeed::LmcacheFeed(EndpointTable& table, telemetry::Instruments& instruments)
    : table_(table), instruments_(instruments) {}
LmcacheFeed::~LmcacheFeed() { server_.reset(); }

void LmcacheFeed::apply(const EndpointSet& set) {
  const config::Lmcache& settings = set.lmcache();
  if (!settings.enabled) return;
  if (!server_) {
    kv::lmcache::ServerOptions options{
        .pull = settings.pull,
        .reply = settings.reply,
        .heartbeat = settings.heartbeat,
        .worker_timeout = settings.worker_timeout,
        .check_interval = settings.check_interval,
        .own_host = [settings](const std::string& ip) { return own_host(settings, ip); }};
    kv::lmcache::Listener& listener = *this;
    kv::lmcache::Watcher& watcher = *this;
    server_ = std::make_unique<kv::lmcache::Server>(std::move(options), listener, watcher);
  }
  const std::scoped_lock lock(mutex_);
  place(set);
}

std::vector<std::string> LmcacheFeed::addresses() const {
  if (!server_) return {};
  return {server_->pull(), server_->reply(), server_->heartbeat()};
}

// Under the mutex. The table publishes a new set if something changed, which comes back here and changes nothing.
void LmcacheFeed::place(const EndpointSet& set) {
  std::map<std::string, std::string> addresses;
  for (const auto& [name, instance] : instances_) addresses[name] = instance.ip;
  const auto placed = place_instances(set.endpoints(), addresses, set.lmcache(), is_own_address);
  std::map<std::string, std::shared_ptr<index::ChunkCache>> by_url;
  for (auto& [name, instance] : instances_) instance.url.clear();
  for (const auto& [url, name] : placed) {
    Instance& instance = instances_.at(name);
    instance.url = url;
    by_url[url] = instance.cache;
  }
  instruments_.lmcache_instances.with("registered").set(static_cast<double>(instances_.size()));
  instruments_.lmcache_instances.with("placed").set(static_cast<double>(placed.size()));
  table_.place_chunks(std::move(by_url));
}

index::ChunkCache* LmcacheFeed::find(const std::string& name) const {
  const auto found = instances_.find(name);
  return found == instances_.end() ? nullptr : found->second.cache.get();
}

void LmcacheFeed::show(const std::string& name, const index::ChunkCache& cache) {
  instruments_.lmcache_chunks.with(name).set(static_cast<double>(cache.engine().blocks()));
}

void LmcacheFeed::instance(const std::string& name, const std::string& ip, bool anew) {
  const auto set = table_.current();
  const std::scoped_lock lock(mutex_);
  Instance& instance = instances_[name];
  if (!instance.cache) {
    instance.cache = std::make_shared<index::ChunkCache>(set->kv_index()->add_engine());
    instance.since = system_clock().now();
  }
  instance.ip = ip;
  if (anew) {
    instance.cache->restart();
    instance.told_foreign = instance.told_scheme = false;
    show(name, *instance.cache);
  }
  place(*set);
}

void LmcacheFeed::gone(const std::string& name) {
  const auto set = table_.current();
  const std::scoped_lock lock(mutex_);
  const auto found = instances_.find(name);
  if (found == instances_.end()) return;
  // Requests under way may hold a set with it.
  found->second.cache->restart();
  show(name, *found->second.cache);
  instances_.erase(found);
  place(*set);
}

void LmcacheFeed::store(const std::string& name, std::span<const std::uint64_t> chunks,
                        kv::Tier tier) {
  const std::scoped_lock lock(mutex_);
  auto* cache = find(name);
  if (cache == nullptr) return;
  const std::size_t full = cache->store(chunks, static_cast<std::size_t>(tier));
  if (full > 0) instruments_.kv_blocks_dropped.with(name, "full").add(full);
  show(name, *cache);
}

void LmcacheFeed::remove(const std::string& name, std::span<const std::uint64_t> chunks,
                         kv::Tier tier) {
  const std::scoped_lock lock(mutex_);
  auto* cache = find(name);
  if (cache == nullptr) return;
  cache->remove(chunks, static_cast<std::size_t>(tier));
  show(name, *cache);
}

void LmcacheFeed::clear(const std::string& name, kv::Tier tier) {
  const std::scoped_lock lock(mutex_);
  auto* cache = find(name);
  if (cache == nullptr) return;
  cache->clear(static_cast<std::size_t>(tier));
  show(name, *cache);
}

void LmcacheFeed::clear(const std::string& name) {
  for (std::size_t tier = 0; tier < kv::kTiers; ++tier) clear(name, static_cast<kv::Tier>(tier));
}

std::optional<kv::Tier> LmcacheFeed::holds(const std::string& name, std::uint64_t chunk) const {
  const std::scoped_lock lock(mutex_);
  const auto* cache = find(name);
  const auto tier = cache == nullptr ? std::nullopt : cache->tier_of(chunk);
  if (!tier) return std::nullopt;
  return static_cast<kv::Tier>(*tier);
}

void LmcacheFeed::received(bool understood) {
  instruments_.lmcache_messages.with(understood ? "understood" : "not_understood").add();
}

void LmcacheFeed::count(const kv::lmcache::Registry::Counts& counts) {
  const auto add = [this](std::string_view event, std::uint64_t now, std::uint64_t before) {
    if (now > before) instruments_.lmcache_events.with(event).add(now - before);
  };
  add("gap", counts.gaps, counted_.gaps);
  add("sync_asked", counts.syncs_asked, counted_.syncs_asked);
  add("sync_done", counts.syncs_done, counted_.syncs_done);
  add("expired", counts.expired, counted_.expired);
  add("refused", counts.refused, counted_.refused);
  counted_ = counts;
}

void LmcacheFeed::checked(const kv::lmcache::Registry& registry) {
  count(registry.counts());
  const auto set = table_.current();
  const std::scoped_lock lock(mutex_);
  std::size_t understood = 0;
  for (auto& [name, instance] : instances_) {
    understood += instance.cache->scheme() ? 1 : 0;
    tell(name, instance, *set);
  }
  instruments_.lmcache_instances.with("understood").set(static_cast<double>(understood));
}

void LmcacheFeed::tell(const std::string& name, Instance& instance, const EndpointSet& set) {
  if (const auto scheme = instance.cache->scheme()) {
    const auto schemes = set.chunk_schemes();
    if (!std::exchange(instance.told_scheme, true) && *scheme < schemes.size())
      log::info("LMCache instance {}: its chunks are named by {}", name, schemes[*scheme].says);
  } else if (instance.cache->foreign() && !std::exchange(instance.told_foreign, true)) {
    log::warning(
        "LMCache instance {}: none of the names it gives its chunks can be repeated here, so what "
        "it holds does not count. Start its engine with PYTHONHASHSEED set to a number, give "
        "signalbox.lmcache.hash_seed (or the router's PYTHONHASHSEED) the same, and check "
        "chunk_tokens; docs/kv-aware.md lists what works",
        name);
  }
  const bool waited = system_clock().now() - instance.since > kPlacingTime;
  if (!instance.url.empty() || !waited || std::exchange(instance.told_unplaced, true)) return;
  log::warning(
      "LMCache instance {} at {}: no engine, or several, are at this address. Name it in "
      "signalbox.lmcache.engines",
      name, instance.ip.empty() ? "an address that it has not told" : instance.ip);
}

}  // namespace signalbox::discovery
