#include "signals/metadata.h"

#include <algorithm>

namespace signalbox::signals {

MetadataRules::MetadataRules(std::span<const config::MetadataRule> rules,
                             std::span<const std::string> offered_headers) {
  for (const config::MetadataRule& rule : rules) {
    Rule made{.rule = rule};
    for (const std::string& offered : offered_headers) {
      if (offered.ends_with('-')) {
        made.headers.push_back(offered + rule.key);
      } else if (offered == rule.key) {
        made.headers.push_back(offered);
      }
    }
    rules_.push_back(std::move(made));
  }
}

std::optional<std::string_view> MetadataRules::find(const Rule& rule, const Inputs& inputs) {
  for (const std::string& header : rule.headers) {
    if (const auto value = inputs.client.headers.find(header)) return *value;
  }
  for (const auto& [key, value] : inputs.request.metadata) {
    if (key == rule.rule.key) return value;
  }
  return std::nullopt;
}

exchange::SignalValue MetadataRules::evaluate(std::uint32_t index, const Inputs& inputs) const {
  const config::MetadataRule& rule = rules_[index].rule;
  const auto value = find(rules_[index], inputs);
  if (rule.exists && *rule.exists != value.has_value()) return matched(false);
  if (!value) return matched(rule.exists.has_value());
  if (rule.equals && *value != *rule.equals) return matched(false);
  if (!rule.in.empty() && std::find(rule.in.begin(), rule.in.end(), *value) == rule.in.end())
    return matched(false);
  return matched(true);
}

}  // namespace signalbox::signals
