#include "index/kv_index.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "base/hash.h"
#include "base/limits.h"
#include "index/halving.h"

namespace signalbox::index {
namespace {

constexpr std::size_t kBucketsMin = 16;
constexpr std::uint64_t kMultiplier = 0x9e3779b97f4a7c15ULL;
constexpr int kRotation = 29;

std::uint8_t bit_of(std::size_t tier) { return static_cast<std::uint8_t>(1U << tier); }
// Of a block that is being computed: as good as in the GPU's cache.
constexpr std::uint8_t kPending = 0x80;
// Tiers up to this one.
std::uint8_t up_to(std::size_t tier) {
  return static_cast<std::uint8_t>(((2U << tier) - 1) | kPending);
}

// States are chained, names are looked up: the finaliser spreads neighbours over shards and buckets.
std::uint64_t name_of(KvState state) { return mix64(state); }

// Chunks of LMCache have states of their own, so that none is taken for a block of token ids.
constexpr std::uint64_t kNamedMix = 0xd1b54a32d192ed03ULL;
KvState state_of_named(std::uint64_t name) { return mix64(name) ^ kNamedMix; }

KvState step(KvState state, std::uint64_t value) {
  return std::rotl((state ^ value) * kMultiplier, kRotation);
}

}  // namespace

KvState kv_root(std::string_view adapter, std::string_view cache_salt) {
  return hash64(adapter, hash64(cache_salt, kMultiplier));
}

KvState kv_extend(KvState state, std::span<const std::uint32_t> tokens, std::uint64_t extra) {
  // An image's tokens are placeholders; what they stand for is far above any token.
  if (extra != 0) state = step(state, extra | std::uint64_t{1} << 63);
  for (const std::uint32_t token : tokens) state = step(state, token + std::uint64_t{1});
  return state;
}

void KvMatches::clear() {
  for (const std::uint16_t slot : touched_) held_[slot] = {};
  touched_.clear();
}

void KvMatches::raise(std::uint16_t slot, std::size_t tier, std::uint32_t tokens) {
  if (slot >= held_.size()) held_.resize(slot + 1U);
  KvHeld& held = held_[slot];
  if (held == KvHeld{}) touched_.push_back(slot);
  // Lower tiers hold at least what higher ones do.
  for (std::size_t t = tier; t < kKvTiers; ++t) held.tokens[t] = std::max(held.tokens[t], tokens);
}

KvEngine::~KvEngine() {
  clear();
  index_->give_back(slot_);
}

bool KvEngine::add(std::uint64_t name, KvState state, std::size_t tier) {
  const auto found = blocks_.find(name);
  if (found == blocks_.end() && blocks_.size() >= limits::kKvEngineBlocksMax) return false;
  if (!index_->insert(name_of(state), slot_, bit_of(tier))) return false;
  Block& block = found == blocks_.end() ? blocks_[name] : found->second;
  if (block.tiers != 0 && block.state != state)
    index_->erase(name_of(block.state), slot_, block.tiers);
  block.state = state;
  block.tiers |= bit_of(tier);
  count_.store(blocks_.size(), std::memory_order_relaxed);
  return true;
}

KvEngine::Outcome KvEngine::store(const Stored& stored) {
  Outcome outcome;
  if (slot_ == KvIndex::kNoSlot) return {.full = stored.blocks.size()};
  if (stored.tokens.empty()) {
    for (const std::uint64_t name : stored.blocks) {
      const auto known = blocks_.find(name);
      if (known == blocks_.end()) {
        ++outcome.orphans;
      } else {
        outcome.full += add(name, known->second.state, stored.tier) ? 0 : 1;
      }
    }
    return outcome;
  }
  const std::size_t size = stored.block_tokens;
  // Groups of layers that hold some blocks only do not say which; their tokens do not add up.
  if (size == 0 || stored.tokens.size() != size * stored.blocks.size())
    return {.orphans = stored.blocks.size()};
  KvState state = kv_root(stored.adapter, stored.cache_salt);
  if (stored.parent) {
    const auto parent = blocks_.find(*stored.parent);
    if (parent == blocks_.end()) return {.orphans = stored.blocks.size()};
    state = parent->second.state;
  }
  for (std::size_t i = 0; i < stored.blocks.size(); ++i) {
    state = kv_extend(state, stored.tokens.subspan(i * size, size),
                      i < stored.extras.size() ? stored.extras[i] : 0);
    outcome.full += add(stored.blocks[i], state, stored.tier) ? 0 : 1;
  }
  // The smallest size is that of whole blocks' beginnings; partial blocks are rarer and smaller still.
  if (stored.blocks.size() > 1 || block_tokens() == 0)
    block_tokens_.store(stored.block_tokens, std::memory_order_relaxed);
  return outcome;
}

std::size_t KvEngine::store_named(std::span<const std::uint64_t> names, std::size_t tier) {
  if (slot_ == KvIndex::kNoSlot) return names.size();
  std::size_t full = 0;
  for (const std::uint64_t name : names) full += add(name, state_of_named(name), tier) ? 0 : 1;
  return full;
}

void KvEngine::remove(std::span<const std::uint64_t> blocks, std::size_t tier) {
  for (const std::uint64_t name : blocks) {
    const auto found = blocks_.find(name);
    if (found == blocks_.end()) continue;
    Block& block = found->second;
    index_->erase(name_of(block.state), slot_, bit_of(tier));
    block.tiers &= static_cast<std::uint8_t>(~bit_of(tier));
    if (block.tiers == 0) blocks_.erase(found);
  }
  count_.store(blocks_.size(), std::memory_order_relaxed);
}

void KvEngine::clear(std::size_t tier) {
  for (auto at = blocks_.begin(); at != blocks_.end();) {
    Block& block = at->second;
    if ((block.tiers & bit_of(tier)) != 0) {
      index_->erase(name_of(block.state), slot_, bit_of(tier));
      block.tiers &= static_cast<std::uint8_t>(~bit_of(tier));
    }
    at = block.tiers == 0 ? blocks_.erase(at) : std::next(at);
  }
  count_.store(blocks_.size(), std::memory_order_relaxed);
}

std::optional<std::size_t> KvEngine::tier_of(std::uint64_t block) const {
  const auto found = blocks_.find(block);
  if (found == blocks_.end()) return std::nullopt;
  return static_cast<std::size_t>(std::countr_zero(found->second.tiers));
}

void KvEngine::clear() {
  for (const auto& [name, block] : blocks_) index_->erase(name_of(block.state), slot_, block.tiers);
  blocks_ = {};
  count_.store(0, std::memory_order_relaxed);
}

KvIndex::KvIndex() {
  for (std::size_t i = limits::kPrefixEnginesMax; i > 0; --i)
    free_slots_.push_back(static_cast<std::uint16_t>(i - 1));
}

std::shared_ptr<KvEngine> KvIndex::add_engine() {
  std::uint16_t slot = kNoSlot;
  {
    const std::scoped_lock lock(slots_mutex_);
    if (!free_slots_.empty()) {
      slot = free_slots_.back();
      free_slots_.pop_back();
    }
  }
  return std::shared_ptr<KvEngine>(new KvEngine(shared_from_this(), slot));
}

void KvIndex::give_back(std::uint16_t slot) {
  if (slot == kNoSlot) return;
  const std::scoped_lock lock(slots_mutex_);
  free_slots_.push_back(slot);
}

// The low bits chose the shard.
std::uint32_t& KvIndex::bucket(Shard& shard, std::uint64_t name) {
  return shard.buckets[(name / kShards) & (shard.buckets.size() - 1)];
}

bool KvIndex::insert(std::uint64_t name, std::uint16_t slot, std::uint8_t tiers) {
  if ((tiers & (1 | kPending)) == 0) lower_tiers_.fetch_or(tiers, std::memory_order_relaxed);
  Shard& home = shard(name);
  const std::scoped_lock lock(home.mutex);
  if (home.buckets.empty()) grow(home);
  for (std::uint32_t at = bucket(home, name); at != kEnd; at = home.entries[at].next) {
    Entry& entry = home.entries[at];
    if (entry.name != name || entry.slot != slot) continue;
    entry.tiers |= tiers;
    return true;
  }
  if (home.free == kEnd) {
    if (home.entries.size() >= limits::kKvEntriesMax / kShards) return false;
    home.entries.emplace_back();
    home.free = static_cast<std::uint32_t>(home.entries.size() - 1);
  }
  const std::uint32_t at = home.free;
  home.free = home.entries[at].next;
  home.entries[at] = {name, bucket(home, name), slot, tiers};
  bucket(home, name) = at;
  if (++home.live > home.buckets.size()) grow(home);
  return true;
}

void KvIndex::erase(std::uint64_t name, std::uint16_t slot, std::uint8_t tiers) {
  Shard& home = shard(name);
  const std::scoped_lock lock(home.mutex);
  if (home.buckets.empty()) return;
  for (std::uint32_t* link = &bucket(home, name); *link != kEnd; link = &home.entries[*link].next) {
    Entry& entry = home.entries[*link];
    if (entry.name != name || entry.slot != slot) continue;
    entry.tiers &= static_cast<std::uint8_t>(~tiers);
    if (entry.tiers != 0) return;
    const std::uint32_t at = *link;
    *link = entry.next;
    entry = {0, home.free, kNoSlot, 0};
    home.free = at;
    --home.live;
    return;
  }
}

void KvIndex::grow(Shard& shard) {
  shard.buckets.assign(std::max(kBucketsMin, shard.buckets.size() * 2), kEnd);
  for (std::uint32_t at = 0; at < shard.entries.size(); ++at) {
    Entry& entry = shard.entries[at];
    if (entry.tiers == 0) continue;
    std::uint32_t& head = bucket(shard, entry.name);
    entry.next = head;
    head = at;
  }
}

std::uint32_t KvIndex::probe(std::uint64_t name, std::uint8_t tiers, std::size_t tier,
                             std::uint32_t tokens, KvMatches& out) const {
  const Shard& home = shard(name);
  const std::scoped_lock lock(home.mutex);
  if (home.buckets.empty()) return 0;
  std::uint32_t holders = 0;
  std::uint32_t at = home.buckets[(name / kShards) & (home.buckets.size() - 1)];
  for (; at != kEnd; at = home.entries[at].next) {
    const Entry& entry = home.entries[at];
    if (entry.name != name || (entry.tiers & tiers) == 0) continue;
    out.raise(entry.slot, tier, tokens);
    ++holders;
  }
  return holders;
}

void KvIndex::match_names(std::uint32_t block_tokens, std::uint32_t prompt_tokens,
                          KvMatches& out) const {
  const std::uint32_t used = lower_tiers_.load(std::memory_order_relaxed) | bit_of(0);
  for (std::size_t tier = 0; tier < kKvTiers; ++tier) {
    if ((used & bit_of(tier)) == 0) continue;
    probe_by_halves(out.names_.size(), [&](std::uint32_t i) {
      const std::uint32_t end = std::min((i + 1) * block_tokens, prompt_tokens);
      return probe(out.names_[i], up_to(tier), tier, end, out);
    });
  }
}

void KvIndex::match(std::span<const std::uint32_t> tokens, KvState root, std::uint32_t block_tokens,
                    KvMatches& out) const {
  if (block_tokens == 0) return;
  out.names_.clear();
  KvState state = root;
  for (std::size_t at = 0; at + block_tokens <= tokens.size(); at += block_tokens) {
    state = kv_extend(state, tokens.subspan(at, block_tokens));
    out.names_.push_back(name_of(state));
  }
  match_names(block_tokens, static_cast<std::uint32_t>(tokens.size()), out);
}

void KvIndex::match_named(std::span<const std::uint64_t> names, std::uint32_t chunk_tokens,
                          std::uint32_t prompt_tokens, KvMatches& out) const {
  out.names_.clear();
  for (const std::uint64_t name : names) out.names_.push_back(name_of(state_of_named(name)));
  match_names(chunk_tokens, prompt_tokens, out);
}

bool KvIndex::holds_named(std::uint64_t name, std::uint16_t slot) const {
  const std::uint64_t entry_name = name_of(state_of_named(name));
  const Shard& home = shard(entry_name);
  const std::scoped_lock lock(home.mutex);
  if (home.buckets.empty()) return false;
  std::uint32_t at = home.buckets[(entry_name / kShards) & (home.buckets.size() - 1)];
  for (; at != kEnd; at = home.entries[at].next) {
    const Entry& entry = home.entries[at];
    // Of a chunk that is only expected there, nobody has said anything.
    if (entry.name == entry_name && entry.slot == slot && (entry.tiers & ~kPending) != 0)
      return true;
  }
  return false;
}

void KvIndex::pend(std::span<const std::uint64_t> names, std::uint16_t slot) {
  if (slot == kNoSlot) return;
  for (const std::uint64_t name : names)
    if (!insert(name, slot, kPending)) return;
}

void KvIndex::unpend(std::span<const std::uint64_t> names, std::uint16_t slot) {
  for (const std::uint64_t name : names) erase(name, slot, kPending);
}

std::size_t KvIndex::entries() const {
  std::size_t total = 0;
  for (const Shard& shard : shards_) {
    const std::scoped_lock lock(shard.mutex);
    total += shard.live;
  }
  return total;
}

}  // namespace signalbox::index
