// Which engine holds how much of a prompt, exactly: from what the engines themselves say they have stored and dropped
// (src/kv/), not from what was sent to them. A position in a prompt is named by our own chained hash of all token ids up
// to it, of the adapter and of the cache salt; so nothing depends on an engine's hash algorithm, seed or block size, and
// blocks of engines that hash differently meet under one name. What an engine calls a block is only kept to find it again
// when the engine drops it.
//
// Duplicates: an engine that computed the same block twice at the same time says so twice, and once for each when they
// leave; here a block is gone with the first. That errs on the safe side until it is computed again.
//
// A prompt on its way to an engine is not stored yet, but will be: pend() marks its blocks until unpend(), so that a burst
// of equal prompts goes to one engine.
//
// Bounds: kKvEngineBlocksMax blocks an engine, kKvEntriesMax in all; what is above is left out and counted.
// Cost: storing and removing O(tokens); a match hashes the prompt (5 cycles a token) and makes O(H log B) probes for B
// blocks and H engines that hold a part, because what an engine holds of a prompt is a beginning of it (engines drop the
// end first).
// Threads: match() from any thread; store, remove and clear of one engine from one thread at a time. Entries lie in 64
// shards by name; a probe holds the lock of one shard.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace signalbox::index {

// State of the chain behind a token; the seed of what follows.
using KvState = std::uint64_t;
// Before the first token.
KvState kv_root(std::string_view adapter, std::string_view cache_salt);
// `extra`: what else the tokens stand for (an image), 0 for nothing. O(tokens).
KvState kv_extend(KvState state, std::span<const std::uint32_t> tokens, std::uint64_t extra = 0);

inline constexpr std::size_t kKvTiers = 3;  // GPU, CPU, storage: kv::Tier

// Tokens of a prompt that an engine holds: held[t] in tiers up to t.
struct KvHeld {
  std::array<std::uint32_t, kKvTiers> tokens{};
  friend bool operator==(const KvHeld&, const KvHeld&) = default;
};

// Result of a match, by slot. Made once and used again; a match allocates nothing in steady state.
class KvMatches {
 public:
  KvHeld held(std::uint16_t slot) const { return slot < held_.size() ? held_[slot] : KvHeld{}; }
  // Names of the prompt's blocks in the index, of the last match.
  std::span<const std::uint64_t> names() const { return names_; }

 private:
  friend class KvIndex;
  void clear();
  void raise(std::uint16_t slot, std::size_t tier, std::uint32_t tokens);
  std::vector<KvHeld> held_;
  std::vector<std::uint16_t> touched_;
  std::vector<std::uint64_t> names_;  // of the prompt's positions; scratch
};

class KvIndex;

// One engine's cache (of one data-parallel rank) as it describes it.
class KvEngine {
 public:
  ~KvEngine();
  KvEngine(const KvEngine&) = delete;
  KvEngine& operator=(const KvEngine&) = delete;

  std::uint16_t slot() const { return slot_; }
  // Blocks held, over all tiers.
  std::size_t blocks() const { return count_.load(std::memory_order_relaxed); }
  // 0 before the first block.
  std::uint32_t block_tokens() const { return block_tokens_.load(std::memory_order_relaxed); }
  // Whether what is known is worth asking: the engine has spoken since it was last forgotten.
  bool known() const { return known_.load(std::memory_order_relaxed); }

  struct Stored {
    std::span<const std::uint64_t> blocks;  // the engine's names, in order
    std::optional<std::uint64_t> parent;
    std::span<const std::uint32_t> tokens;  // empty: blocks that are known by name already
    std::uint32_t block_tokens = 0;
    std::string_view adapter;
    std::string_view cache_salt;
    std::span<const std::uint64_t> extras;  // by block, or empty
    std::size_t tier = 0;
  };
  struct Outcome {
    std::size_t orphans = 0;  // blocks whose parent, or whose tokens, nobody told
    std::size_t full = 0;     // blocks over the bounds
  };
  Outcome store(const Stored& stored);
  // Blocks whose names mean the same everywhere, so that their tokens need not be told: chunks of LMCache
  // (index/chunk_hash.h). An engine has either these or the ones above. Returns how many were over the bounds.
  std::size_t store_named(std::span<const std::uint64_t> names, std::size_t tier);
  void remove(std::span<const std::uint64_t> blocks, std::size_t tier);
  // It holds nothing any more, in one tier or in all.
  void clear(std::size_t tier);
  void clear();
  // Of the thread that stores: the best tier that a block lies in.
  std::optional<std::size_t> tier_of(std::uint64_t block) const;
  // From any thread: what is known may be wrong (the engine was found dead) until the next clear().
  void forget() { known_.store(false, std::memory_order_relaxed); }
  void set_known() { known_.store(true, std::memory_order_relaxed); }

 private:
  friend class KvIndex;
  KvEngine(std::shared_ptr<KvIndex> index, std::uint16_t slot)
      : index_(std::move(index)), slot_(slot) {}
  struct Block {
    KvState state = 0;
    std::uint8_t tiers = 0;  // a bit each
  };
  struct Identity {
    std::size_t operator()(std::uint64_t name) const { return name; }
  };
  bool add(std::uint64_t name, KvState state, std::size_t tier);

  std::shared_ptr<KvIndex> index_;
  std::uint16_t slot_;
  std::unordered_map<std::uint64_t, Block, Identity> blocks_;  // by the engine's names, hashed
  std::atomic<std::size_t> count_{0};
  std::atomic<std::uint32_t> block_tokens_{0};
  std::atomic<bool> known_{false};
};

class KvIndex : public std::enable_shared_from_this<KvIndex> {
 public:
  static constexpr std::uint16_t kNoSlot = 0xffff;
  KvIndex();
  KvIndex(const KvIndex&) = delete;
  KvIndex& operator=(const KvIndex&) = delete;

  // A new engine that holds nothing; it leaves the index with its last pointer. Beyond kPrefixEnginesMax engines are
  // given kNoSlot and not indexed.
  std::shared_ptr<KvEngine> add_engine();
  // What engines with blocks of `block_tokens` hold of the prompt. Engines of other block sizes may be reported short:
  // ask once for each size. The results of several calls add up in `out` after one begin().
  void match(std::span<const std::uint32_t> tokens, KvState root, std::uint32_t block_tokens,
             KvMatches& out) const;
  // The same for chunks of LMCache by name, each of `chunk_tokens` but the last, which ends with the prompt.
  void match_named(std::span<const std::uint64_t> names, std::uint32_t chunk_tokens,
                   std::uint32_t prompt_tokens, KvMatches& out) const;
  // Whether that engine holds that chunk of LMCache.
  bool holds_named(std::uint64_t name, std::uint16_t slot) const;
  static void begin(KvMatches& out) { out.clear(); }
  // Blocks that an engine is about to compute count as held from here to unpend(). From any thread.
  void pend(std::span<const std::uint64_t> names, std::uint16_t slot);
  void unpend(std::span<const std::uint64_t> names, std::uint16_t slot);

  std::size_t entries() const;

 private:
  friend class KvEngine;
  static constexpr std::size_t kShards = 64;
  static constexpr std::uint32_t kEnd = 0xffffffff;
  struct Entry {
    std::uint64_t name = 0;
    std::uint32_t next = kEnd;  // of the same bucket, or of the free list
    std::uint16_t slot = kNoSlot;
    std::uint8_t tiers = 0;
  };
  struct Shard {
    mutable std::mutex mutex;
    std::vector<Entry> entries;
    std::vector<std::uint32_t> buckets;  // a power of two, or empty
    std::uint32_t free = kEnd;
    std::size_t live = 0;
  };
  Shard& shard(std::uint64_t name) { return shards_[name % kShards]; }
  const Shard& shard(std::uint64_t name) const { return shards_[name % kShards]; }
  static std::uint32_t& bucket(Shard& shard, std::uint64_t name);
  // False when the bound is met.
  bool insert(std::uint64_t name, std::uint16_t slot, std::uint8_t tiers);
  void erase(std::uint64_t name, std::uint16_t slot, std::uint8_t tiers);
  // Engines that hold the block in one of `tiers`, each raised to `tokens`.
  std::uint32_t probe(std::uint64_t name, std::uint8_t tiers, std::size_t tier,
                      std::uint32_t tokens, KvMatches& out) const;
  void match_names(std::uint32_t block_tokens, std::uint32_t prompt_tokens, KvMatches& out) const;
  static void grow(Shard& shard);
  void give_back(std::uint16_t slot);

  std::array<Shard, kShards> shards_;
  std::atomic<std::uint32_t> lower_tiers_{0};  // bits of tiers that were ever used
  std::mutex slots_mutex_;                     // guards free_slots_
  std::vector<std::uint16_t> free_slots_;
};

}  // namespace signalbox::index
