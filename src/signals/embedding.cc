#include "signals/embedding.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>

namespace signalbox::signals {

Result<Embeddings> Embeddings::compile(std::span<const config::EmbeddingRule> rules,
                                       const encoder::Encoder* encoder) {
  Embeddings made;
  encoder::Workspace workspace;
  std::map<std::string, std::vector<float>> known;
  for (const config::EmbeddingRule& rule : rules) {
    Rule compiled{.threshold = static_cast<float>(rule.threshold), .aggregation = rule.aggregation};
    if (rule.candidates.empty()) {
      return fail(Code::kConfig, fmt::format("embedding rule '{}' has no candidates", rule.name));
    }
    const bool usable =
        encoder != nullptr && (rule.query_modality.empty() || rule.query_modality == "text");
    for (const std::string& candidate : rule.candidates) {
      if (!usable) break;
      auto at = known.find(candidate);
      if (at == known.end()) {
        auto analysis = encoder->analyze(candidate, encoder::Demand::kEmbedding, workspace);
        if (analysis.failed()) return std::unexpected(*std::move(analysis.error));
        at = known.emplace(candidate, std::move(analysis.embedding)).first;
      }
      compiled.candidates.push_back(at->second);
    }
    made.rules_.push_back(std::move(compiled));
  }
  return made;
}

exchange::SignalValue Embeddings::evaluate(std::uint32_t index,
                                           std::span<const float> embedding) const {
  const Rule& rule = rules_[index];
  if (embedding.empty() || rule.candidates.empty()) return failed();
  float best = -1;
  float sum = 0;
  for (const auto& candidate : rule.candidates) {
    if (candidate.size() != embedding.size()) return failed();
    const float cosine =
        std::inner_product(candidate.begin(), candidate.end(), embedding.begin(), 0.0F);
    best = std::max(best, cosine);
    sum += cosine;
  }
  const bool mean = rule.aggregation == config::Aggregation::kMean;
  const float score = mean ? sum / static_cast<float>(rule.candidates.size()) : best;
  return matched(score >= rule.threshold, std::clamp(score, 0.0F, 1.0F));
}

}  // namespace signalbox::signals
