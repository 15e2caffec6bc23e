// Which two neighbouring tokens merge, in what order, and into what. Open addressing, built once.
#pragma once

#include <bit>
#include <cstdint>
#include <vector>

#include "base/assert.h"
#include "base/hash.h"

namespace signalbox::tokenize {

struct Merge {
  std::uint32_t rank = 0;  // lower ones first
  std::int32_t id = -1;    // of the result; -1: they do not merge
};

class MergeTable {
 public:
  MergeTable() = default;
  explicit MergeTable(std::size_t count) : slots_(std::bit_ceil(count + count / 2 + 1)) {}

  // A pair that is there already gets the new merge.
  void insert(std::int32_t left, std::int32_t right, Merge merge) {
    Slot& slot = slots_[place(left, right)];
    if (slot.merge.id < 0) ++count_;
    SBX_ASSERT(count_ < slots_.size());
    slot = {left, right, merge};
  }
  Merge find(std::int32_t left, std::int32_t right) const {
    return slots_.empty() ? Merge{} : slots_[place(left, right)].merge;
  }

 private:
  struct Slot {
    std::int32_t left = 0, right = 0;
    Merge merge;
  };
  std::size_t place(std::int32_t left, std::int32_t right) const {
    const std::uint64_t key = static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32 |
                              static_cast<std::uint32_t>(right);
    const std::size_t mask = slots_.size() - 1;
    std::size_t at = mix64(key) & mask;
    while (slots_[at].merge.id >= 0 && (slots_[at].left != left || slots_[at].right != right))
      at = (at + 1) & mask;
    return at;
  }
  std::vector<Slot> slots_;  // power of two, at most two thirds full
  std::size_t count_ = 0;
};

}  // namespace signalbox::tokenize
