#include "signals/domain.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/text.h"

namespace signalbox::signals {
namespace {

// Turns cosine similarities into probabilities; the sharpness at which MiniLM's zero-shot picks were about as often
// right as they were sure.
constexpr float kPrototypeSharpness = 20;

char plain(char c) { return c == '_' || c == '-' ? ' ' : ascii_lower(c); }

}  // namespace

bool same_label(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return plain(x) == plain(y); });
}

Domains::Domains(std::span<const config::DomainRule> rules, float threshold,
                 std::string fallback_category)
    : threshold_(threshold), fallback_category_(std::move(fallback_category)) {
  for (const config::DomainRule& rule : rules) {
    Rule made{.name = rule.name, .labels = rule.mmlu_categories};
    if (made.labels.empty()) made.labels.push_back(rule.name);
    rules_.push_back(std::move(made));
  }
}

std::optional<std::uint32_t> Domains::find_or_add(std::string_view name) {
  for (std::uint32_t i = 0; i < rules_.size(); ++i) {
    if (rules_[i].name == name) return i;
  }
  for (const std::string_view label : encoder::Encoder::domain_labels()) {
    if (!same_label(label, name)) continue;
    rules_.push_back({.name = std::string(name), .labels = {std::string(label)}});
    return static_cast<std::uint32_t>(rules_.size() - 1);
  }
  return std::nullopt;
}

DomainVerdict Domains::judge(std::span<const float> probabilities, exchange::Rung rung) const {
  const auto labels = encoder::Encoder::domain_labels();
  const encoder::Top top = encoder::top(probabilities);
  if (top.index < 0 || static_cast<std::size_t>(top.index) >= labels.size())
    return {.rung = exchange::Rung::kDefault};
  if (top.probability < threshold_) return {fallback_category_, top.probability, rung};
  return {labels[static_cast<std::size_t>(top.index)], top.probability, rung};
}

exchange::SignalValue Domains::evaluate(std::uint32_t rule, const DomainVerdict& verdict) const {
  if (verdict.rung == exchange::Rung::kNone || verdict.rung == exchange::Rung::kDefault)
    return failed();
  const auto& labels = rules_[rule].labels;
  const bool covered = !verdict.category.empty() &&
                       std::any_of(labels.begin(), labels.end(), [&](const auto& label) {
                         return same_label(label, verdict.category);
                       });
  return matched(covered, verdict.confidence);
}

std::vector<float> Domains::compare(std::span<const float> embedding) const {
  std::vector<float> scores;
  for (const auto& prototype : prototypes_) {
    if (prototype.size() != embedding.size()) return {};
    const float cosine =
        std::inner_product(prototype.begin(), prototype.end(), embedding.begin(), 0.0F);
    scores.push_back(std::exp(kPrototypeSharpness * cosine));
  }
  const float total = std::accumulate(scores.begin(), scores.end(), 0.0F);
  for (float& score : scores) score /= total;
  return scores;
}

}  // namespace signalbox::signals
