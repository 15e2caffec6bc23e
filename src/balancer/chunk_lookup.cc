#include "balancer/chunk_lookup.h"

#include <algorithm>

#include "base/limits.h"

namespace signalbox::balancer {
namespace {

// An engine whose names were never met is tried with every so many prompts: it may be configured anew.
constexpr std::uint32_t kForeignEvery = 16;

index::ChunkCache* cache_of(const Option& option, const Context& context) {
  return context.set->endpoints()[option.replica->endpoint_index].chunks.get();
}

}  // namespace

void ChunkLookup::use(std::size_t scheme) {
  const bool known = std::ranges::find(schemes_, scheme) != schemes_.end();
  if (!known && schemes_.size() < limits::kKvBlockSizesMax) schemes_.push_back(scheme);
}

void ChunkLookup::recognise(std::span<const Option> options, const Context& context) {
  bool worth_it = false;
  bool foreign = false;
  for (const Option& option : options) {
    const auto* cache = cache_of(option, context);
    if (cache == nullptr || cache->scheme()) continue;
    (cache->foreign() ? foreign : worth_it) = true;
  }
  if (foreign && ++foreign_passed_ % kForeignEvery == 0) worth_it = true;
  if (!worth_it) return;
  const std::span<const std::uint32_t> ids(*context.tokens->ids);
  index::first_names(context.set->chunk_schemes(), ids.first(chunk_tokens_), first_names_);
  for (const Option& option : options) {
    auto* cache = cache_of(option, context);
    if (cache != nullptr && !cache->scheme())
      cache->recognise(first_names_, *context.set->kv_index());
  }
}

void ChunkLookup::look_up(std::span<const Option> options, const Context& context) {
  schemes_.clear();
  first_names_.clear();
  index::KvIndex::begin(matches_);
  const auto schemes = context.set->chunk_schemes();
  const auto size = static_cast<std::uint32_t>(context.set->lmcache().chunk_tokens);
  const std::span<const std::uint32_t> ids(*context.tokens->ids);
  chunk_tokens_ = schemes.empty() || ids.size() < size ? 0 : size;
  if (chunk_tokens_ == 0) return;
  recognise(options, context);
  for (const Option& option : options) {
    const auto* cache = cache_of(option, context);
    if (const auto scheme = cache == nullptr ? std::nullopt : cache->scheme()) use(*scheme);
  }
  for (const std::size_t scheme : schemes_) {
    index::chunk_names(schemes[scheme], ids, chunk_tokens_, names_);
    context.set->kv_index()->match_named(names_, chunk_tokens_,
                                         static_cast<std::uint32_t>(ids.size()), matches_);
  }
}

std::optional<index::KvHeld> ChunkLookup::held(const Option& option, const Context& context) const {
  const auto* cache = chunk_tokens_ == 0 ? nullptr : cache_of(option, context);
  if (cache == nullptr || !cache->scheme()) return std::nullopt;
  return matches_.held(cache->engine().slot());
}

std::optional<ChunkLookup::Coming> ChunkLookup::sent(const Option& option,
                                                     const Context& context) const {
  auto* cache = chunk_tokens_ == 0 ? nullptr : cache_of(option, context);
  if (cache == nullptr) return std::nullopt;
  if (!cache->scheme()) {
    cache->expect(first_names_);
    return std::nullopt;
  }
  // With several schemes the names at hand may be by another one.
  if (schemes_.size() != 1) return std::nullopt;
  const std::uint32_t tokens = matches_.held(cache->engine().slot()).tokens[index::kKvTiers - 1];
  const auto names = matches_.names();
  const std::size_t chunks = (tokens + chunk_tokens_ - 1) / chunk_tokens_;
  if (chunks >= names.size()) return std::nullopt;
  return Coming{cache->shared_engine(), names.subspan(chunks)};
}

}  // namespace signalbox::balancer
