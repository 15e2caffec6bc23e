#include "index/block_chain.h"

#include <algorithm>
#include <cstring>

#include "base/hash.h"

namespace signalbox::index {

void BlockChain::close(std::string_view block) {
  hashes_.push_back(hash64(block, hashes_.empty() ? 0 : hashes_.back()));
}

void BlockChain::add(std::string_view text) {
  bytes_ += text.size();
  while (!text.empty() && hashes_.size() < limits::kPrefixBlocksMax) {
    const std::size_t size = block_units(hashes_.size()) * kBlockUnitBytes;
    // Blocks that lie in one piece are hashed where they are; only those across a seam are copied.
    if (partial_bytes_ == 0 && text.size() >= size) {
      close(text.substr(0, size));
      text.remove_prefix(size);
      continue;
    }
    const std::size_t taken = std::min(size - partial_bytes_, text.size());
    std::memcpy(partial_.data() + partial_bytes_, text.data(), taken);
    partial_bytes_ += taken;
    text.remove_prefix(taken);
    if (partial_bytes_ < size) return;
    close({partial_.data(), size});
    partial_bytes_ = 0;
  }
}

void BlockChain::clear() {
  hashes_.clear();
  partial_bytes_ = 0;
  bytes_ = 0;
}

}  // namespace signalbox::index
