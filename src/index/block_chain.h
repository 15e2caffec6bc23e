// Chained block hashes of a prompt: the names under which routers, engines and indexes speak of the same prefix. A prompt
// is cut into blocks at positions that depend on nothing but the position; block i is named by the hash of its bytes and of
// the name before it, so two prompts share name i exactly when they share everything up to the end of block i.
//
// Blocks grow with depth: 256 bytes (about 64 tokens) up to 8 KiB, 1 KiB up to 64 KiB, 4 KiB beyond. A match is therefore
// off by an eighth of itself at most, and a prompt of 200 KB has 121 names instead of 800.
// Equal on every machine and in every process (base/hash.h), so several routers agree without talking.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/limits.h"

namespace signalbox::index {

using BlockHash = std::uint64_t;

inline constexpr std::size_t kBlockUnitBytes =
    256;  // the smallest block; every other is a multiple
inline constexpr std::size_t kSmallBlocks = 32;
inline constexpr std::size_t kMiddleBlocks = 56;
inline constexpr std::size_t kLargestBlockUnits = 16;

// Prompt text per token: close enough for English under vocabularies of 100k and more. Engines count their caches in tokens.
inline constexpr std::int64_t kBytesPerToken = 4;

// Room that so many tokens take in an EngineCache.
constexpr std::int64_t units_of_tokens(double tokens) {
  constexpr double kMost = 1e15;
  const double units = tokens * kBytesPerToken / static_cast<double>(kBlockUnitBytes);
  return static_cast<std::int64_t>(units < kMost ? units : kMost);
}

// Size of block i in units of kBlockUnitBytes: 1, 4 or 16.
constexpr std::uint32_t block_units(std::size_t i) {
  if (i < kSmallBlocks) return 1;
  return i < kSmallBlocks + kMiddleBlocks ? 4 : kLargestBlockUnits;
}

// Bytes that the first `blocks` blocks cover. O(1).
constexpr std::size_t blocks_bytes(std::size_t blocks) {
  const std::size_t small = blocks < kSmallBlocks ? blocks : kSmallBlocks;
  std::size_t left = blocks - small;
  const std::size_t middle = left < kMiddleBlocks ? left : kMiddleBlocks;
  left -= middle;
  return (small + middle * 4 + left * kLargestBlockUnits) * kBlockUnitBytes;
}

// Builds the chain of a text that comes in pieces; where it was cut into pieces does not matter. O(bytes), about 10 GB/s.
class BlockChain {
 public:
  void add(std::string_view text);
  // Of the whole blocks so far; text past the last whole block, or past kPrefixBlocksMax blocks, has no name.
  std::span<const BlockHash> hashes() const { return hashes_; }
  std::size_t bytes() const { return bytes_; }
  void clear();
  // A chain that was built elsewhere; nothing is added to it.
  void restore(std::vector<BlockHash> hashes, std::size_t bytes);

 private:
  void close(std::string_view block);
  std::vector<BlockHash> hashes_;
  std::string partial_;  // the block under way, if it began in an earlier piece
  std::size_t bytes_ = 0;
};

}  // namespace signalbox::index
