// One window's hidden states as the fixed number of vectors that heads read, and that train/ sees.
#pragma once

#include <cstddef>
#include <vector>

#include "encoder/bert.h"

namespace signalbox::encoder {

// [layers + 2][hidden]: the mean over tokens of each hidden state (embeddings first), then the
// element-wise maximum over tokens of the last one, which keeps what a single word says in a long
// text.
class PooledStates {
 public:
  // From a finished forward pass over `tokens` tokens. Cost: one read of scratch.hidden.
  void assign(const BertConfig& config, const BertScratch& scratch, std::size_t tokens);

  // The same of a stretch of those tokens: `first` is a multiple of kMeanBlock, and so is `end` unless it is `tokens`.
  void assign_part(const BertConfig& config, const BertScratch& scratch, std::size_t tokens,
                   std::size_t first, std::size_t end);

  static constexpr std::size_t count(std::size_t layers) { return layers + 2; }
  const float* state(std::size_t index) const { return values_.data() + index * hidden_; }
  // The mean of the last hidden state: what neighbours are compared by.
  const float* last_mean() const { return values_.data() + values_.size() - 2 * hidden_; }
  const std::vector<float>& values() const { return values_; }

 private:
  void add_peak(const BertScratch& scratch, std::size_t first, std::size_t end, float* peak) const;
  std::size_t hidden_ = 0;
  std::vector<float> values_;
};

}  // namespace signalbox::encoder
