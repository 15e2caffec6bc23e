#include "balancer/kv_lookup.h"

#include <algorithm>
#include <utility>

#include "base/limits.h"

namespace signalbox::balancer {
namespace {

using exchange::CacheSource;

// From a pick to the engine's word that the blocks are stored: a queue and a prefill.
constexpr std::chrono::seconds kPendingTime{10};

// Tokens held, those of lower tiers at their worth: they are loaded faster than computed, but not for nothing.
std::int64_t worth(const index::KvHeld& held, const config::KvEvents& settings) {
  const double gpu = held.tokens[0];
  const double cpu = held.tokens[1] - gpu;
  const double storage = held.tokens[2] - gpu - cpu;
  return static_cast<std::int64_t>(gpu + cpu * settings.cpu_worth +
                                   storage * settings.storage_worth);
}

const std::shared_ptr<index::KvEngine>* best_rank(const discovery::Endpoint& endpoint,
                                                  const index::KvMatches& matches) {
  const std::shared_ptr<index::KvEngine>* best = nullptr;
  for (const auto& engine : endpoint.kv()) {
    if (!engine->known()) continue;
    if (best == nullptr ||
        matches.held(engine->slot()).tokens > matches.held((*best)->slot()).tokens)
      best = &engine;
  }
  return best;
}

}  // namespace

std::string_view kv_adapter(const exchange::Candidate& candidate, const discovery::Replica& replica,
                            const discovery::EndpointSet& set) {
  if (!candidate.adapter.empty()) return candidate.adapter;
  const auto& served = set.endpoints()[replica.endpoint_index].served;
  if (!served) return {};
  for (const auto& model : served->models)
    if (model.name == candidate.upstream_name && !model.parent.empty())
      return candidate.upstream_name;
  return {};
}

void KvLookup::match_blocks(std::span<const Option> options, const Context& context) {
  sizes_.clear();
  for (const Option& option : options) {
    for (const auto& engine : option.endpoint().kv()) {
      const std::uint32_t size = engine->known() ? engine->block_tokens() : 0;
      if (size == 0 || sizes_.size() >= limits::kKvBlockSizesMax) continue;
      if (std::find(sizes_.begin(), sizes_.end(), size) == sizes_.end()) sizes_.push_back(size);
    }
  }
  if (sizes_.empty()) return;
  const Option& first = options.front();
  const auto root = index::kv_root(kv_adapter(*first.candidate, *first.replica, *context.set),
                                   context.tokens->cache_salt);
  index::KvIndex::begin(matches_);
  for (const std::uint32_t size : sizes_)
    context.set->kv_index()->match(*context.tokens->ids, root, size, matches_);
}

void KvLookup::look_up(std::span<Option> options, const Context& context) {
  expire(*context.set->kv_index(), context.now);
  match_blocks(options, context);
  chunks_.look_up(options, context);
  for (Option& option : options) {
    index::KvHeld held;
    const auto* engine = sizes_.empty() ? nullptr : best_rank(option.endpoint(), matches_);
    if (engine != nullptr) {
      option.source = CacheSource::kKvEvents;
      held = matches_.held((*engine)->slot());
    }
    if (const auto chunks = chunks_.held(option, context)) {
      if (engine == nullptr) option.source = CacheSource::kLmcache;
      for (std::size_t tier = 0; tier < index::kKvTiers; ++tier)
        held.tokens[tier] = std::max(held.tokens[tier], chunks->tokens[tier]);
    }
    if (option.source != CacheSource::kEstimate)
      option.cached_tokens = worth(held, context.set->kv_events());
  }
}

void KvLookup::sent(const Option& option, const Context& context) {
  if (const auto coming = chunks_.sent(option, context))
    pend(coming->engine, coming->names, context);
  // With several block sizes the names at hand may be of another engine's.
  if (option.source != CacheSource::kKvEvents || sizes_.size() != 1) return;
  const auto* engine = best_rank(option.endpoint(), matches_);
  if (engine == nullptr) return;
  const std::size_t held = matches_.held((*engine)->slot()).tokens[0] / sizes_.front();
  pend(*engine, matches_.names().subspan(std::min(held, matches_.names().size())), context);
}

void KvLookup::pend(std::shared_ptr<index::KvEngine> engine, std::span<const std::uint64_t> names,
                    const Context& context) {
  if (names.empty() || pending_ >= limits::kKvPendingMax) return;
  context.set->kv_index()->pend(names, engine->slot());
  pending_ += names.size();
  sent_.push_back({context.now + kPendingTime, std::move(engine), {names.begin(), names.end()}});
}

void KvLookup::expire(index::KvIndex& index, TimePoint now) {
  while (!sent_.empty() && sent_.front().until <= now) {
    const Sent& oldest = sent_.front();
    index.unpend(oldest.names, oldest.engine->slot());
    pending_ -= oldest.names.size();
    sent_.pop_front();
  }
}

}  // namespace signalbox::balancer
