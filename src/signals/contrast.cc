#include "signals/contrast.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace signalbox::signals {
namespace {

Result<std::vector<std::vector<float>>> embed(std::span<const std::string> texts,
                                              const encoder::Encoder& encoder,
                                              encoder::Workspace& workspace) {
  std::vector<std::vector<float>> out;
  for (const std::string& text : texts) {
    auto analysis = encoder.analyze(text, encoder::Demand::kEmbedding, workspace);
    if (analysis.failed()) return std::unexpected(*std::move(analysis.error));
    out.push_back(std::move(analysis.embedding));
  }
  return out;
}

float nearest(const std::vector<std::vector<float>>& examples, std::span<const float> embedding) {
  float best = -1;
  for (const auto& example : examples) {
    best =
        std::max(best, std::inner_product(example.begin(), example.end(), embedding.begin(), 0.0F));
  }
  return best;
}

}  // namespace

Result<Contrast> Contrast::compile(std::span<const std::string> positive,
                                   std::span<const std::string> negative,
                                   const encoder::Encoder& encoder) {
  Contrast made;
  encoder::Workspace workspace;
  SBX_TRY(made.positive_, embed(positive, encoder, workspace));
  SBX_TRY(made.negative_, embed(negative, encoder, workspace));
  return made;
}

std::optional<float> Contrast::score(std::span<const float> embedding) const {
  if (positive_.empty() || embedding.size() != positive_.front().size()) return std::nullopt;
  const float other = negative_.empty() ? 0.0F : nearest(negative_, embedding);
  return nearest(positive_, embedding) - other;
}

}  // namespace signalbox::signals
