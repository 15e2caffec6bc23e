#include "apps/signalbox/classify_model.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/clock.h"
#include "encoder/encoder.h"
#include "json/splice.h"

namespace signalbox::cli {
namespace {

// Code points before a byte.
std::size_t points_before(std::string_view text, std::size_t byte) {
  const auto begins = [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; };
  return static_cast<std::size_t>(std::ranges::count_if(text.substr(0, byte), begins));
}

std::string coverage_json(const encoder::Coverage& coverage, Duration time) {
  return fmt::format(R"("tokens_seen":{},"tokens_total":{},"passes":{},"time_ms":{:.2f})",
                     coverage.tokens_seen, coverage.tokens_total, coverage.passes,
                     milliseconds(time));
}

std::string labels_json(const encoder::ClassifierModel& model, const encoder::TextLabels& found,
                        Duration time) {
  const auto& labels = model.labels();
  const auto best = encoder::top(found.probabilities);
  std::string probabilities;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    probabilities += fmt::format("{}{}:{:.4f}", i == 0 ? "" : ",", json::quote(labels[i]),
                                 found.probabilities[i]);
  }
  return fmt::format(R"({{"label":{},"confidence":{:.4f},"probabilities":{{{}}},{}}})",
                     json::quote(labels[static_cast<std::size_t>(best.index)]), best.probability,
                     probabilities, coverage_json(found.coverage, time));
}

std::string entities_json(std::string_view text, const encoder::TextEntities& found,
                          Duration time) {
  std::string entities;
  for (const encoder::Entity& entity : found.entities) {
    entities += fmt::format(R"({}{{"label":{},"start":{},"end":{},"text":{},"confidence":{:.4f}}})",
                            entities.empty() ? "" : ",", json::quote(entity.label),
                            points_before(text, entity.begin), points_before(text, entity.end),
                            json::quote(text.substr(entity.begin, entity.end - entity.begin)),
                            entity.confidence);
  }
  return fmt::format(R"({{"entities":[{}],{}}})", entities, coverage_json(found.coverage, time));
}

}  // namespace

Result<std::string> classify_with_model(const std::string& directory,
                                        const encoder::ClassifierOptions& options,
                                        std::string_view text) {
  SBX_TRY(const auto model, encoder::ClassifierModel::load(directory, options));
  encoder::ClassifierWorkspace workspace;
  const TimePoint start = system_clock().now();
  if (model->labels_tokens()) {
    const auto found = model->find(text, workspace);
    return entities_json(text, found, system_clock().now() - start);
  }
  const auto found = model->classify(text, workspace);
  return labels_json(*model, found, system_clock().now() - start);
}

}  // namespace signalbox::cli
