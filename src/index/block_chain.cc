#include "index/block_chain.h"

#include <algorithm>
#include <utility>

#include "base/hash.h"

namespace signalbox::index {

void BlockChain::close(std::string_view block) {
  hashes_.push_back(block_hash64(block, hashes_.empty() ? 0 : hashes_.back()));
}

void BlockChain::add(std::string_view text) {
  bytes_ += text.size();
  while (!text.empty() && hashes_.size() < limits::kPrefixBlocksMax) {
    const std::size_t size = block_units(hashes_.size()) * kBlockUnitBytes;
    // Blocks that lie in one piece are hashed where they are; only those across a seam are copied.
    if (partial_.empty() && text.size() >= size) {
      close(text.substr(0, size));
      text.remove_prefix(size);
      continue;
    }
    const std::size_t taken = std::min(size - partial_.size(), text.size());
    partial_.append(text.substr(0, taken));
    text.remove_prefix(taken);
    if (partial_.size() < size) return;
    close(partial_);
    partial_.clear();
  }
}

void BlockChain::restore(std::vector<BlockHash> hashes, std::size_t bytes) {
  hashes_ = std::move(hashes);
  bytes_ = bytes;
}

void BlockChain::clear() {
  hashes_.clear();
  partial_.clear();
  bytes_ = 0;
}

}  // namespace signalbox::index
