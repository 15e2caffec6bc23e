#include "index/engine_cache.h"

#include <algorithm>
#include <utility>

#include "base/limits.h"

namespace signalbox::index {

EngineSlots::EngineSlots() : horizons_(limits::kPrefixEnginesMax) {
  for (auto& horizon : horizons_) horizon.store(1, std::memory_order_relaxed);
  free_.reserve(limits::kPrefixEnginesMax);
  for (std::size_t i = limits::kPrefixEnginesMax; i > 0; --i)
    free_.push_back(static_cast<std::uint16_t>(i - 1));
}

std::uint16_t EngineSlots::take() {
  const std::scoped_lock lock(mutex_);
  if (free_.empty()) return kNone;
  const std::uint16_t slot = free_.back();
  free_.pop_back();
  return slot;
}

void EngineSlots::give_back(std::uint16_t slot) {
  const std::scoped_lock lock(mutex_);
  free_.push_back(slot);
}

EngineCache::EngineCache(std::shared_ptr<EngineSlots> slots, std::int64_t capacity_units)
    : slots_(std::move(slots)),
      slot_(slots_->take()),
      capacity_(std::max<std::int64_t>(1, capacity_units)) {
  if (slot_ == EngineSlots::kNone) return;
  horizon_ = slots_->horizon(slot_);
  head_ = horizon_;
}

EngineCache::~EngineCache() {
  if (slot_ == EngineSlots::kNone) return;
  forget();
  slots_->give_back(slot_);
}

void EngineCache::evict_oldest() {
  auto& oldest = units_[horizon_ % kRing];
  live_ -= oldest;
  oldest = 0;
  ++horizon_;
  if (slot_ != EngineSlots::kNone)
    slots_->horizon(slot_).store(horizon_, std::memory_order_relaxed);
}

void EngineCache::add(std::uint32_t units) {
  auto& present = units_[head_ % kRing];
  present += units;
  live_ += units;
  if (present >= std::max<std::int64_t>(1, capacity_ / kPerCache)) {
    if (head_ - horizon_ + 1 == kRing) evict_oldest();
    ++head_;
  }
  while (live_ > capacity_ && horizon_ < head_) evict_oldest();
}

Generation EngineCache::touch(Generation last, std::uint32_t units) {
  const std::scoped_lock lock(mutex_);
  if (last >= horizon_) {
    units_[last % kRing] -= units;
    live_ -= units;
  }
  const Generation present = head_;
  add(units);
  return present;
}

void EngineCache::set_capacity(std::int64_t units) {
  const std::scoped_lock lock(mutex_);
  capacity_ = std::max<std::int64_t>(1, units);
  while (live_ > capacity_ && horizon_ < head_) evict_oldest();
}

void EngineCache::forget() {
  const std::scoped_lock lock(mutex_);
  while (horizon_ < head_) evict_oldest();
  evict_oldest();
  head_ = horizon_;
}

Generation EngineCache::held_since() const {
  if (slot_ != EngineSlots::kNone) return slots_->horizon(slot_);
  const std::scoped_lock lock(mutex_);
  return horizon_;
}

std::int64_t EngineCache::live_units() const {
  const std::scoped_lock lock(mutex_);
  return live_;
}

}  // namespace signalbox::index
