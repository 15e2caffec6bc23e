// KV cache events as vLLM's engines publish them: which blocks a cache has stored, which it has dropped. The wire form is
// MessagePack of `[timestamp, [event, ...], data_parallel_rank]`; an event is a map with its class name under "type" (vLLM
// 0.32), or an array that begins with the class name (0.8 to 0.1x, LMCache's adapters). Fields that are not known are
// passed over, so later versions with more of them are read as well.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/error.h"

namespace signalbox::kv {

// Where blocks lie. A lookup prefers the smaller.
enum class Tier : std::uint8_t { kGpu, kCpu, kStorage };
inline constexpr std::size_t kTiers = 3;

// An engine's own name of a block (32 bytes of SHA-256, or an integer), as 64 bits. It means nothing to other engines:
// it depends on the hash algorithm and its seed.
using EngineBlock = std::uint64_t;
EngineBlock engine_block(std::string_view name);
EngineBlock engine_block(std::uint64_t name);

struct Stored {
  std::vector<EngineBlock> blocks;    // in order; each follows the one before it
  std::optional<EngineBlock> parent;  // of the first; nothing: it begins the prompt
  // Of all blocks, block_tokens each. Empty where a lower tier reports blocks by name only.
  std::vector<std::uint32_t> tokens;
  std::uint32_t block_tokens = 0;
  std::string adapter;                // LoRA name, empty for the base model
  std::string cache_salt;             // of a first block
  std::vector<std::uint64_t> extras;  // what else a block depends on (images), by block; 0: nothing
  Tier tier = Tier::kGpu;
  std::uint32_t group = 0;  // of layers; 0 where the engine has one
  // Blocks of full attention reach from the beginning to their end; those of a window do not.
  bool whole_prefix = true;
};

struct Removed {
  std::vector<EngineBlock> blocks;
  Tier tier = Tier::kGpu;
  std::uint32_t group = 0;
};

struct Cleared {};

using Event = std::variant<Stored, Removed, Cleared>;

struct Batch {
  double timestamp = 0;
  std::optional<std::uint32_t> rank;  // data-parallel rank of the publisher
  std::vector<Event> events;
  std::size_t ignored = 0;  // events of a kind that we do not know
};

// Errors: kCorrupt. O(bytes); bounded by limits::kKvMessageBytesMax.
Result<Batch> decode_batch(std::string_view payload);

// What a publisher of blocks with integer names writes, in the form of vLLM 0.32. For the demo engine and for tests.
struct NamedStored {
  std::vector<std::uint64_t> blocks;
  std::optional<std::uint64_t> parent;
  std::vector<std::uint32_t> tokens;
  std::uint32_t block_tokens = 0;
  std::string adapter;
  std::string cache_salt;
};
struct NamedRemoved {
  std::vector<std::uint64_t> blocks;
};
using NamedEvent = std::variant<NamedStored, NamedRemoved, Cleared>;
std::string encode_batch(double timestamp, const std::vector<NamedEvent>& events,
                         std::uint32_t rank);

}  // namespace signalbox::kv
