#include "encoder/pooled_states.h"

#include <algorithm>

#include "base/assert.h"

namespace signalbox::encoder {

void PooledStates::assign(const BertConfig& config, const BertScratch& scratch,
                          std::size_t tokens) {
  hidden_ = config.hidden;
  const std::size_t means = (config.layers + 1) * hidden_;
  values_.resize(count(config.layers) * hidden_);
  std::copy_n(scratch.means.data(), means, values_.data());
  add_peak(scratch, 0, tokens, values_.data() + means);
}

void PooledStates::assign_part(const BertConfig& config, const BertScratch& scratch,
                               std::size_t tokens, std::size_t first, std::size_t end) {
  SBX_ASSERT(first % kMeanBlock == 0 && (end % kMeanBlock == 0 || end == tokens) && first < end);
  hidden_ = config.hidden;
  values_.assign(count(config.layers) * hidden_, 0.0f);
  const std::size_t blocks = (tokens + kMeanBlock - 1) / kMeanBlock;
  const auto share = 1.0f / static_cast<float>(end - first);
  for (std::size_t state = 0; state <= config.layers; ++state) {
    float* mean = values_.data() + state * hidden_;
    for (std::size_t block = first / kMeanBlock; block * kMeanBlock < end; ++block) {
      const float* sum = scratch.sums.data() + (state * blocks + block) * hidden_;
      for (std::size_t i = 0; i < hidden_; ++i) mean[i] += sum[i];
    }
    for (std::size_t i = 0; i < hidden_; ++i) mean[i] *= share;
  }
  add_peak(scratch, first, end, values_.data() + (config.layers + 1) * hidden_);
}

void PooledStates::add_peak(const BertScratch& scratch, std::size_t first, std::size_t end,
                            float* peak) const {
  std::copy_n(scratch.hidden.data() + first * hidden_, hidden_, peak);
  for (std::size_t t = first + 1; t < end; ++t) {
    const float* token = scratch.hidden.data() + t * hidden_;
    for (std::size_t i = 0; i < hidden_; ++i) peak[i] = std::max(peak[i], token[i]);
  }
}

}  // namespace signalbox::encoder
