#include "sim/prefix_cache.h"

#include <algorithm>

#include "base/hash.h"

namespace signalbox::sim {

std::size_t count_tokens(std::string_view text) {
  return std::max<std::size_t>(1, (text.size() + kTokenBytes - 1) / kTokenBytes);
}

std::vector<std::uint64_t> hash_blocks(std::string_view text, std::uint64_t seed) {
  constexpr std::size_t kBlockBytes = kTokenBytes * kBlockTokens;
  std::vector<std::uint64_t> hashes;
  hashes.reserve(text.size() / kBlockBytes);
  std::uint64_t hash = seed;
  for (std::size_t at = 0; at + kBlockBytes <= text.size(); at += kBlockBytes) {
    hash = hash64(text.substr(at, kBlockBytes), hash);
    hashes.push_back(hash);
  }
  return hashes;
}

std::vector<std::uint32_t> token_ids(std::string_view text) {
  std::vector<std::uint32_t> ids;
  ids.reserve(count_tokens(text));
  for (std::size_t at = 0; at < text.size(); at += kTokenBytes) {
    std::uint64_t token = 1;
    for (const char c : text.substr(at, kTokenBytes))
      token = token << 8 | static_cast<unsigned char>(c);
    ids.push_back(static_cast<std::uint32_t>(token));
  }
  return ids;
}

PrefixCache::Use PrefixCache::use(std::span<const std::uint64_t> blocks) {
  Use use;
  while (use.hits < blocks.size() && places_.contains(blocks[use.hits])) ++use.hits;
  // From the end, so that the beginning of a prompt, which others share, is the last of it to leave.
  for (std::size_t i = std::min(blocks.size(), blocks_max_); i-- > 0;) {
    const auto place = places_.find(blocks[i]);
    if (place != places_.end()) {
      order_.splice(order_.begin(), order_, place->second);
      continue;
    }
    order_.push_front(blocks[i]);
    places_.emplace(blocks[i], order_.begin());
  }
  while (order_.size() > blocks_max_) {
    use.evicted.push_back(order_.back());
    places_.erase(order_.back());
    order_.pop_back();
  }
  use.kept = std::min(blocks.size(), blocks_max_);
  return use;
}

void PrefixCache::clear() {
  order_.clear();
  places_.clear();
}

}  // namespace signalbox::sim
