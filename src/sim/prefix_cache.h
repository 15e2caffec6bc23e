// The prefix cache of a simulated engine: hashes of prompt blocks, the least recently used leave first. Prompts with the
// same beginning share the hashes of that beginning, as in vLLM's automatic prefix caching.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace signalbox::sim {

inline constexpr std::size_t kTokenBytes = 4;    // a token stands for four bytes of text
inline constexpr std::size_t kBlockTokens = 16;  // vLLM's default block size

// Token ids of a text: each stands for up to four bytes, made into a number under a leading one (32 bits of it).
std::vector<std::uint32_t> token_ids(std::string_view text);

// Tokens of a text as the simulation counts them; at least 1.
std::size_t count_tokens(std::string_view text);

// One hash per full block of the text, each covering everything before it. `seed` keeps adapters apart. O(bytes).
std::vector<std::uint64_t> hash_blocks(std::string_view text, std::uint64_t seed);

class PrefixCache {
 public:
  explicit PrefixCache(std::size_t blocks_max) : blocks_max_(blocks_max) {}
  struct Use {
    std::size_t hits = 0;                // leading blocks that were present
    std::size_t kept = 0;                // of the prompt, present now
    std::vector<std::uint64_t> evicted;  // to make room
  };
  // Marks the leading blocks that are present as used and adds the others.
  Use use(std::span<const std::uint64_t> blocks);
  std::size_t size() const { return places_.size(); }
  void clear();

 private:
  std::size_t blocks_max_;
  std::list<std::uint64_t> order_;  // most recently used first
  std::unordered_map<std::uint64_t, std::list<std::uint64_t>::iterator> places_;
};

}  // namespace signalbox::sim
