#include "index/prefix_index.h"

#include <algorithm>

#include "base/hash.h"
#include "base/limits.h"
#include "index/halving.h"

namespace signalbox::index {
namespace {

constexpr std::size_t kBucketsMin = 16;
// Entries the hand looks at for each new one: it goes round before the entries have doubled.
constexpr int kHandSteps = 2;

BlockHash salted(BlockHash hash, std::uint64_t salt) { return mix64(hash ^ salt); }

}  // namespace

void Matches::clear() {
  for (const std::uint16_t slot : touched_) blocks_[slot] = 0;
  touched_.clear();
}

void Matches::raise(std::uint16_t slot, std::uint32_t blocks) {
  if (slot >= blocks_.size()) blocks_.resize(slot + 1U, 0);
  auto& held = blocks_[slot];
  if (held == 0) touched_.push_back(slot);
  held = std::max(held, blocks);
}

std::shared_ptr<EngineCache> PrefixIndex::add_engine(std::int64_t capacity_units) {
  return std::make_shared<EngineCache>(slots_, capacity_units);
}

// The low bits chose the shard.
std::uint32_t& PrefixIndex::bucket(Shard& shard, BlockHash hash) {
  return shard.buckets[(hash / kShards) & (shard.buckets.size() - 1)];
}

std::uint32_t PrefixIndex::probe(BlockHash hash, std::uint32_t blocks, Matches& out) const {
  const Shard& home = shard(hash);
  const std::scoped_lock lock(home.mutex);
  if (home.buckets.empty()) return 0;
  std::uint32_t holders = 0;
  std::uint32_t at = home.buckets[(hash / kShards) & (home.buckets.size() - 1)];
  for (; at != kEnd; at = home.entries[at].next) {
    const Entry& entry = home.entries[at];
    if (entry.hash != hash || is_stale(entry)) continue;
    out.raise(entry.slot, blocks);
    ++holders;
  }
  return holders;
}

void PrefixIndex::match(std::span<const BlockHash> chain, std::uint64_t salt, Matches& out) const {
  out.clear();
  probe_by_halves(chain.size(),
                  [&](std::uint32_t i) { return probe(salted(chain[i], salt), i + 1, out); });
}

void PrefixIndex::insert(std::span<const BlockHash> chain, std::uint64_t salt,
                         EngineCache& engine) {
  if (engine.slot() == EngineSlots::kNone) return;
  // From the tail to the head: where the head is shared and the cache overflows, the tail is the older part.
  for (std::size_t i = chain.size(); i > 0; --i)
    touch(salted(chain[i - 1], salt), block_units(i - 1), engine);
}

void PrefixIndex::touch(BlockHash hash, std::uint32_t units, EngineCache& engine) {
  Shard& home = shard(hash);
  const std::scoped_lock lock(home.mutex);
  if (home.buckets.empty()) grow_buckets(home);
  for (std::uint32_t at = bucket(home, hash); at != kEnd;) {
    Entry& entry = home.entries[at];
    const std::uint32_t next = entry.next;
    if (entry.hash == hash && entry.slot == engine.slot()) {
      entry.generation = engine.touch(entry.generation, units);
      return;
    }
    if (is_stale(entry)) drop(home, at);
    at = next;
  }
  const std::uint32_t at = make_room(home);
  Entry& entry = home.entries[at];
  entry.hash = hash;
  entry.slot = engine.slot();
  entry.generation = engine.touch(0, units);
  entry.next = bucket(home, hash);
  bucket(home, hash) = at;
  ++home.live;
  if (home.live > home.buckets.size()) grow_buckets(home);
}

void PrefixIndex::drop(Shard& shard, std::uint32_t at) {
  std::uint32_t* link = &bucket(shard, shard.entries[at].hash);
  while (*link != at) link = &shard.entries[*link].next;
  *link = shard.entries[at].next;
  shard.entries[at] = {};
  shard.entries[at].next = shard.free;
  shard.free = at;
  --shard.live;
}

std::uint32_t PrefixIndex::make_room(Shard& shard) {
  constexpr std::size_t kMax = limits::kPrefixEntriesMax / kShards;
  for (int i = 0; i < kHandSteps && !shard.entries.empty(); ++i) {
    shard.hand = (shard.hand + 1) % static_cast<std::uint32_t>(shard.entries.size());
    const Entry& entry = shard.entries[shard.hand];
    if (entry.generation != 0 && is_stale(entry)) drop(shard, shard.hand);
  }
  if (shard.free == kEnd && shard.entries.size() < kMax) {
    shard.entries.emplace_back();
    return static_cast<std::uint32_t>(shard.entries.size() - 1);
  }
  // All entries are in use, so the one under the hand is.
  if (shard.free == kEnd) drop(shard, shard.hand);
  const std::uint32_t at = shard.free;
  shard.free = shard.entries[at].next;
  return at;
}

void PrefixIndex::grow_buckets(Shard& shard) {
  shard.buckets.assign(std::max(kBucketsMin, shard.buckets.size() * 2), kEnd);
  for (std::uint32_t at = 0; at < shard.entries.size(); ++at) {
    Entry& entry = shard.entries[at];
    if (entry.generation == 0) continue;
    std::uint32_t& head = bucket(shard, entry.hash);
    entry.next = head;
    head = at;
  }
}

std::size_t PrefixIndex::entries() const {
  std::size_t total = 0;
  for (const Shard& shard : shards_) {
    const std::scoped_lock lock(shard.mutex);
    total += shard.live;
  }
  return total;
}

}  // namespace signalbox::index
