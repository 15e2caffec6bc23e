// Which engine holds how much of a prompt's prefix, for any number of models and engines. Entries are (block, engine)
// pairs; which of them are still cached says each engine's LRU mirror (index/engine_cache.h).
//
// Bounds: at most kPrefixEntriesMax entries of 24 bytes, and memory follows what engines can hold: entries that their
// engines have evicted, or whose engine is gone, are dropped as lookups pass them and by a hand that moves with every new
// entry. When the bound is met all the same, the hand takes the first entry it finds.
// Cost, for B blocks and H engines that hold one of them: insert O(B H); match O(H log B) probes, because what an engine
// holds of a chain is a prefix of it (engines evict from the tail), so the ends are found by bisection.
// Threads: everything from any thread. Entries lie in 64 shards by block hash; a probe holds the lock of one shard.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "index/block_chain.h"
#include "index/engine_cache.h"

namespace signalbox::index {

// Result of a match: blocks held, by engine. Made once and used again; a match allocates nothing in steady state.
class Matches {
 public:
  std::uint32_t blocks(std::uint16_t slot) const {
    return slot < blocks_.size() ? blocks_[slot] : 0;
  }

 private:
  friend class PrefixIndex;
  void clear();
  void raise(std::uint16_t slot, std::uint32_t blocks);
  std::vector<std::uint32_t> blocks_;
  std::vector<std::uint16_t> touched_;
};

class PrefixIndex {
 public:
  PrefixIndex() = default;
  PrefixIndex(const PrefixIndex&) = delete;
  PrefixIndex& operator=(const PrefixIndex&) = delete;

  // A new engine with an empty cache. It leaves the index with the last pointer to it.
  std::shared_ptr<EngineCache> add_engine(std::int64_t capacity_units);

  // How many leading blocks of the chain each engine holds. `salt` tells models and adapters apart: their caches do not
  // mix though they may share an engine.
  void match(std::span<const BlockHash> chain, std::uint64_t salt, Matches& out) const;
  // The engine is about to compute, or has used, all blocks of the chain.
  void insert(std::span<const BlockHash> chain, std::uint64_t salt, EngineCache& engine);

  std::size_t entries() const;

 private:
  static constexpr std::size_t kShards = 64;
  static constexpr std::uint32_t kEnd = 0xffffffff;
  struct Entry {
    BlockHash hash = 0;
    std::uint32_t next = kEnd;  // of the same bucket, or of the free list
    Generation generation = 0;  // 0: free
    std::uint16_t slot = 0;
  };
  struct Shard {
    mutable std::mutex mutex;
    std::vector<Entry> entries;
    std::vector<std::uint32_t> buckets;  // a power of two, or empty
    std::uint32_t free = kEnd;
    std::uint32_t hand = 0;
    std::size_t live = 0;
  };
  Shard& shard(BlockHash hash) { return shards_[hash % kShards]; }
  const Shard& shard(BlockHash hash) const { return shards_[hash % kShards]; }
  static std::uint32_t& bucket(Shard& shard, BlockHash hash);
  bool is_stale(const Entry& entry) const { return entry.generation < slots_->horizon(entry.slot); }
  // Engines that hold the block; each of them is raised to `blocks`.
  std::uint32_t probe(BlockHash hash, std::uint32_t blocks, Matches& out) const;
  void touch(BlockHash hash, std::uint32_t units, EngineCache& engine);
  std::uint32_t make_room(Shard& shard);
  void drop(Shard& shard, std::uint32_t at);
  static void grow_buckets(Shard& shard);

  std::shared_ptr<EngineSlots> slots_ = std::make_shared<EngineSlots>();
  std::array<Shard, kShards> shards_;
};

}  // namespace signalbox::index
