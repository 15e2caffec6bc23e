#include "encoder/pooled_states.h"

#include <algorithm>

namespace signalbox::encoder {

void PooledStates::assign(const BertConfig& config, const BertScratch& scratch,
                          std::size_t tokens) {
  hidden_ = config.hidden;
  const std::size_t means = (config.layers + 1) * hidden_;
  values_.resize(count(config.layers) * hidden_);
  std::copy_n(scratch.means.data(), means, values_.data());
  float* peak = values_.data() + means;
  std::copy_n(scratch.hidden.data(), hidden_, peak);
  for (std::size_t t = 1; t < tokens; ++t) {
    const float* token = scratch.hidden.data() + t * hidden_;
    for (std::size_t i = 0; i < hidden_; ++i) peak[i] = std::max(peak[i], token[i]);
  }
}

}  // namespace signalbox::encoder
