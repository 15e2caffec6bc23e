// What the LMCache of one engine says that it holds, and by which scheme it names it (index/chunk_hash.h). The scheme is not
// told, so it is recognised: by a chunk that the engine holds, or stores after a prompt was sent to it, under a name that
// one of the schemes gives that prompt. Until then what it holds is known and of no use. Where prompts were sent, chunks
// were stored, and no name was ever met, the engine names them in a way that cannot be repeated (foreign()), which somebody
// should say aloud.
//
// Threads: store and remove from one thread (KvEngine's rule); everything else from any.
// Bound: the first chunks of the last kLmcacheExpectedMax prompts, and only until the scheme is known.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "index/chunk_hash.h"
#include "index/kv_index.h"

namespace signalbox::index {

class ChunkCache {
 public:
  explicit ChunkCache(std::shared_ptr<KvEngine> engine) : engine_(std::move(engine)) {}

  const KvEngine& engine() const { return *engine_; }
  // Index of the scheme, once it is recognised.
  std::optional<std::size_t> scheme() const;
  bool foreign() const;

  // Returns how many chunks were over the bounds.
  std::size_t store(std::span<const std::uint64_t> names, std::size_t tier);
  void remove(std::span<const std::uint64_t> names, std::size_t tier) {
    engine_->remove(names, tier);
  }
  void clear(std::size_t tier) { engine_->clear(tier); }
  // It began anew, perhaps as another version: the scheme is to be recognised again.
  void restart();
  std::optional<std::size_t> tier_of(std::uint64_t name) const { return engine_->tier_of(name); }

  // `names`: of a prompt's first chunk, by scheme. The engine may hold it already.
  void recognise(std::span<const std::uint64_t> names, const KvIndex& index);
  // The prompt was sent there, so the engine will soon store that chunk.
  void expect(std::span<const std::uint64_t> names);
  // Chunks that are about to be computed count as held; see KvIndex::pend.
  const std::shared_ptr<KvEngine>& shared_engine() const { return engine_; }

 private:
  static constexpr int kUnknown = -1;
  void become(std::size_t scheme);

  std::shared_ptr<KvEngine> engine_;
  std::atomic<int> scheme_{kUnknown};
  mutable std::mutex mutex_;                                 // guards what follows
  std::unordered_map<std::uint64_t, std::size_t> expected_;  // scheme by name
  std::deque<std::vector<std::uint64_t>> prompts_;           // whose names expected_ holds
  std::size_t stored_ = 0;  // chunks since the first prompt, none of them expected
};

}  // namespace signalbox::index
