#include "discovery/kv_feed.h"

#include <fmt/core.h>

#include <utility>

#include "net/network.h"

namespace signalbox::discovery {
namespace {

constexpr std::uint32_t kGroupsTold = 64;  // apart; engines have a handful

std::uint64_t group_bit(std::uint32_t group) {
  return group < kGroupsTold ? std::uint64_t{1} << group : 0;
}

std::string tcp(const std::string& host, std::uint16_t port) {
  return "tcp://" + net::to_string(net::Address(host, port, false));
}

}  // namespace

std::vector<kv::Publisher> publishers_of(const config::BackendRef& backend,
                                         const config::KvEvents& settings) {
  kv::Publisher first{.id = 0,
                      .endpoint = tcp(backend.host, settings.port),
                      .replay_endpoint = {},
                      .topic = settings.topic};
  if (settings.replay_port != 0) first.replay_endpoint = tcp(backend.host, settings.replay_port);
  int ranks = settings.data_parallel_ranks;
  if (const auto* own = find_backend(settings.engines, backend)) {
    if (!own->endpoint.empty()) {
      first.endpoint = own->endpoint;
      first.replay_endpoint = own->replay_endpoint;
    }
    if (own->data_parallel_ranks > 0) ranks = own->data_parallel_ranks;
  }
  std::vector<kv::Publisher> publishers;
  for (int rank = 0; rank < ranks; ++rank) {
    auto publisher = first;
    publisher.endpoint = kv::endpoint_of_rank(first.endpoint, rank);
    publisher.replay_endpoint = kv::endpoint_of_rank(first.replay_endpoint, rank);
    publishers.push_back(std::move(publisher));
  }
  return publishers;
}

KvFeed::KvFeed(telemetry::Instruments& instruments) : instruments_(instruments) {}
KvFeed::~KvFeed() { subscriber_.reset(); }

void KvFeed::apply(const EndpointSet& set) {
  std::vector<kv::Publisher> wanted;
  {
    const std::scoped_lock lock(mutex_);
    std::map<std::uint64_t, Link> links;
    std::map<const index::KvEngine*, std::uint64_t> ids;
    for (const EndpointEntry& entry : set.endpoints()) {
      const auto engines = entry.endpoint->kv();
      auto publishers = publishers_of(entry.backend, set.kv_events());
      for (std::size_t rank = 0; rank < engines.size() && rank < publishers.size(); ++rank) {
        const auto& engine = engines[rank];
        const auto known = ids_.find(engine.get());
        const std::uint64_t id = known != ids_.end() ? known->second : next_id_++;
        ids[engine.get()] = id;
        links[id] =
            known != ids_.end() ? std::move(links_[id]) : Link{engine, entry.endpoint->url(), 0};
        publishers[rank].id = id;
        wanted.push_back(std::move(publishers[rank]));
      }
    }
    links_ = std::move(links);
    ids_ = std::move(ids);
  }
  if (!subscriber_) {
    if (wanted.empty()) return;
    kv::Listener& listener = *this;
    subscriber_ = std::make_unique<kv::Subscriber>(listener);
  }
  subscriber_->follow(std::move(wanted));
}

KvFeed::Link* KvFeed::find(std::uint64_t id) {
  const auto found = links_.find(id);
  return found == links_.end() ? nullptr : &found->second;
}

void KvFeed::show(const Link& link) {
  instruments_.kv_blocks.with(link.url).set(static_cast<double>(link.engine->blocks()));
}

void KvFeed::batch(std::uint64_t id, kv::Batch batch, kv::Source source) {
  const std::scoped_lock lock(mutex_);
  Link* link = find(id);
  if (link == nullptr) return;
  instruments_.kv_batches.with(link->url, source == kv::Source::kLive ? "live" : "replayed").add();
  if (batch.ignored > 0) instruments_.kv_events.with(link->url, "ignored").add(batch.ignored);
  for (const auto& event : batch.events)
    std::visit([&](const auto& what) { take(*link, what); }, event);
  link->engine->set_known();
  show(*link);
}

void KvFeed::take(Link& link, const kv::Stored& stored) {
  if (!stored.whole_prefix) {
    link.window_groups |= group_bit(stored.group);
    instruments_.kv_events.with(link.url, "ignored").add();
    return;
  }
  instruments_.kv_events.with(link.url, "stored").add();
  const auto outcome = link.engine->store({.blocks = stored.blocks,
                                           .parent = stored.parent,
                                           .tokens = stored.tokens,
                                           .block_tokens = stored.block_tokens,
                                           .adapter = stored.adapter,
                                           .cache_salt = stored.cache_salt,
                                           .extras = stored.extras,
                                           .tier = static_cast<std::size_t>(stored.tier)});
  if (outcome.orphans > 0)
    instruments_.kv_blocks_dropped.with(link.url, "orphan").add(outcome.orphans);
  if (outcome.full > 0) instruments_.kv_blocks_dropped.with(link.url, "full").add(outcome.full);
}

void KvFeed::take(Link& link, const kv::Removed& removed) {
  if ((link.window_groups & group_bit(removed.group)) != 0) {
    instruments_.kv_events.with(link.url, "ignored").add();
    return;
  }
  instruments_.kv_events.with(link.url, "removed").add();
  link.engine->remove(removed.blocks, static_cast<std::size_t>(removed.tier));
}

void KvFeed::take(Link& link, const kv::Cleared&) {
  instruments_.kv_events.with(link.url, "cleared").add();
  link.engine->clear();
}

void KvFeed::lost(std::uint64_t id) {
  const std::scoped_lock lock(mutex_);
  Link* link = find(id);
  if (link == nullptr) return;
  instruments_.kv_batches.with(link->url, "missed").add();
  link->engine->forget();
  link->engine->clear();
  show(*link);
}

void KvFeed::malformed(std::uint64_t id) {
  const std::scoped_lock lock(mutex_);
  const Link* link = find(id);
  if (link != nullptr) instruments_.kv_batches.with(link->url, "malformed").add();
}

}  // namespace signalbox::discovery
