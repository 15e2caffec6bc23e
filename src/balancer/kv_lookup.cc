#include "balancer/kv_lookup.h"

#include <algorithm>
#include <utility>

#include "base/limits.h"

namespace signalbox::balancer {
namespace {

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

void KvLookup::look_up(std::span<Option> options, const Context& context) {
  index::KvIndex& index = *context.set->kv_index();
  expire(index, context.now);
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
  for (const std::uint32_t size : sizes_) index.match(*context.tokens->ids, root, size, matches_);
  for (Option& option : options) {
    const auto* engine = best_rank(option.endpoint(), matches_);
    if (engine == nullptr) continue;
    option.exact = true;
    option.cached_tokens = worth(matches_.held((*engine)->slot()), context.set->kv_events());
  }
}

void KvLookup::sent(const Option& option, const Context& context) {
  // With several block sizes the names at hand may be of another engine's.
  if (!option.exact || sizes_.size() != 1 || pending_ >= limits::kKvPendingMax) return;
  const auto* engine = best_rank(option.endpoint(), matches_);
  if (engine == nullptr) return;
  const std::size_t held = matches_.held((*engine)->slot()).tokens[0] / sizes_.front();
  const auto names = matches_.names().subspan(std::min(held, matches_.names().size()));
  if (names.empty()) return;
  context.set->kv_index()->pend(names, (*engine)->slot());
  pending_ += names.size();
  sent_.push_back({context.now + kPendingTime, *engine, {names.begin(), names.end()}});
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
