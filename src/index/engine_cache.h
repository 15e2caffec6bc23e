// What one engine's prefix cache is believed to hold, as an exact least-recently-used mirror in a few hundred bytes. Engines
// evict the blocks that were used longest ago; instead of a list of blocks, the mirror keeps how many units were last used
// in each generation, and a horizon: blocks last used before it are gone. A generation is closed when it holds 1/64 of the
// capacity, so the mirror is off by 1/64 of the capacity at most. The blocks themselves, each with the generation of its
// last use, live in the PrefixIndex.
//
// Threads: everything from any thread; held_since() is one relaxed load.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace signalbox::index {

// Never 0 for a block in use: 0 is older than every horizon.
using Generation = std::uint32_t;

// Names engines by small numbers, and keeps the horizon of each where a lookup finds it. A number is used again after its
// engine has gone; generations go on counting, so nothing of the former engine is taken for the new one's.
class EngineSlots {
 public:
  static constexpr std::uint16_t kNone = 0xffff;
  EngineSlots();
  // A free number, or kNone when kPrefixEnginesMax are taken.
  std::uint16_t take();
  void give_back(std::uint16_t slot);
  std::atomic<Generation>& horizon(std::uint16_t slot) { return horizons_[slot]; }
  Generation horizon(std::uint16_t slot) const {
    return horizons_[slot].load(std::memory_order_relaxed);
  }

 private:
  std::mutex mutex_;  // guards free_
  std::vector<std::uint16_t> free_;
  std::vector<std::atomic<Generation>> horizons_;
};

class EngineCache {
 public:
  // Capacity in units of kBlockUnitBytes of prompt text, at least 1.
  EngineCache(std::shared_ptr<EngineSlots> slots, std::int64_t capacity_units);
  ~EngineCache();
  EngineCache(const EngineCache&) = delete;
  EngineCache& operator=(const EngineCache&) = delete;

  std::uint16_t slot() const { return slot_; }
  // A block of that size is used now, `last` being the generation of its last use or 0. Returns that of this use. O(1)
  // amortised.
  Generation touch(Generation last, std::uint32_t units);
  void set_capacity(std::int64_t units);
  // The engine has lost its cache (it was restarted or reset).
  void forget();
  // Blocks last used in this generation or later are still cached.
  Generation held_since() const;
  std::int64_t live_units() const;

 private:
  static constexpr std::size_t kRing = 256;      // generations alive at a time
  static constexpr std::int64_t kPerCache = 64;  // generations that a full cache has
  void add(std::uint32_t units);
  void evict_oldest();

  std::shared_ptr<EngineSlots> slots_;
  std::uint16_t slot_;
  mutable std::mutex mutex_;  // guards everything below
  std::array<std::int64_t, kRing> units_{};
  Generation head_ = 1;
  Generation horizon_ = 1;
  std::int64_t live_ = 0;
  std::int64_t capacity_;
};

}  // namespace signalbox::index
