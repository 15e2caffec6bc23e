// Signal "embedding": is the last user message near a rule's example texts? Cosine similarity of sentence embeddings,
// aggregated over the candidates: mean, max, or any candidate over the threshold. Candidates are embedded once, at load.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "config/model.h"
#include "encoder/encoder.h"
#include "signals/inputs.h"

namespace signalbox::signals {

class Embeddings {
 public:
  Embeddings() = default;
  // About 3 ms a candidate. `encoder` may be null: then every rule fails when evaluated.
  // Errors: kConfig naming the rule (no candidates), the encoder's own.
  static Result<Embeddings> compile(std::span<const config::EmbeddingRule> rules,
                                    const encoder::Encoder* encoder);
  // Confidence is the aggregated similarity, cut to 0..1. kFailed without an embedding or for other modalities than text.
  exchange::SignalValue evaluate(std::uint32_t rule, std::span<const float> embedding) const;

 private:
  struct Rule {
    float threshold = 0;
    config::Aggregation aggregation = config::Aggregation::kMax;
    std::vector<std::vector<float>> candidates;  // empty: cannot be evaluated
  };
  std::vector<Rule> rules_;
};

}  // namespace signalbox::signals
