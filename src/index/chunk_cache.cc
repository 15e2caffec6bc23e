#include "index/chunk_cache.h"

#include <algorithm>

#include "base/limits.h"

namespace signalbox::index {
namespace {

// Each prompt that is new to an engine makes it store its first chunk; so many without one that was expected are no chance.
constexpr std::size_t kPromptsBeforeDoubt = 8;
constexpr std::size_t kChunksBeforeDoubt = 8;

}  // namespace

std::optional<std::size_t> ChunkCache::scheme() const {
  const int scheme = scheme_.load(std::memory_order_relaxed);
  if (scheme == kUnknown) return std::nullopt;
  return static_cast<std::size_t>(scheme);
}

bool ChunkCache::foreign() const {
  if (scheme()) return false;
  const std::scoped_lock lock(mutex_);
  return prompts_.size() >= kPromptsBeforeDoubt && stored_ >= kChunksBeforeDoubt;
}

std::size_t ChunkCache::store(std::span<const std::uint64_t> names, std::size_t tier) {
  const std::size_t full = engine_->store_named(names, tier);
  if (scheme()) return full;
  std::optional<std::size_t> met;
  {
    const std::scoped_lock lock(mutex_);
    for (const std::uint64_t name : names) {
      const auto found = expected_.find(name);
      if (found != expected_.end()) met = found->second;
    }
    if (!prompts_.empty()) stored_ += names.size();
  }
  if (met) become(*met);
  return full;
}

void ChunkCache::restart() {
  engine_->clear();
  scheme_.store(kUnknown, std::memory_order_relaxed);
  const std::scoped_lock lock(mutex_);
  expected_.clear();
  prompts_.clear();
  stored_ = 0;
}

void ChunkCache::recognise(std::span<const std::uint64_t> names, const KvIndex& index) {
  for (std::size_t scheme = 0; scheme < names.size(); ++scheme)
    if (index.holds_named(names[scheme], engine_->slot())) return become(scheme);
}

void ChunkCache::expect(std::span<const std::uint64_t> names) {
  if (names.empty() || scheme()) return;
  const std::scoped_lock lock(mutex_);
  if (expected_.contains(names.front())) return;
  if (prompts_.size() == limits::kLmcacheExpectedMax) {
    for (const std::uint64_t name : prompts_.front()) expected_.erase(name);
    prompts_.pop_front();
  }
  for (std::size_t scheme = 0; scheme < names.size(); ++scheme) expected_[names[scheme]] = scheme;
  prompts_.emplace_back(names.begin(), names.end());
}

void ChunkCache::become(std::size_t scheme) {
  scheme_.store(static_cast<int>(scheme), std::memory_order_relaxed);
  engine_->set_known();
  const std::scoped_lock lock(mutex_);
  expected_ = {};
  prompts_ = {};
}

}  // namespace signalbox::index
