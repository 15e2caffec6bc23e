#include "signals/conversation.h"

#include <fmt/format.h>

#include <algorithm>

namespace signalbox::signals {

Result<Conversations> Conversations::compile(std::span<const config::ConversationRule> rules) {
  Conversations made;
  for (const config::ConversationRule& rule : rules) {
    Rule compiled{
        .exists = rule.feature_type == "exists", .role = rule.role, .predicate = rule.predicate};
    if (!compiled.exists && rule.feature_type != "count") {
      return fail(Code::kConfig, fmt::format("conversation rule '{}': unknown feature type '{}'",
                                             rule.name, rule.feature_type));
    }
    if (rule.source_type == "tool_definition") {
      compiled.source = Source::kToolDefinition;
    } else if (rule.source_type == "active_tool_loop") {
      compiled.source = Source::kActiveToolLoop;
    } else if (rule.source_type == "image_content") {
      compiled.source = Source::kImageContent;
    } else if (rule.source_type != "message") {
      return fail(Code::kConfig, fmt::format("conversation rule '{}': unknown source type '{}'",
                                             rule.name, rule.source_type));
    }
    made.rules_.push_back(std::move(compiled));
  }
  return made;
}

double Conversations::count(const Rule& rule, const exchange::Request& request) {
  const auto& messages = request.messages;
  switch (rule.source) {
    case Source::kMessage:
      return static_cast<double>(std::count_if(
          messages.begin(), messages.end(),
          [&rule](const auto& message) { return rule.role.empty() || message.role == rule.role; }));
    case Source::kToolDefinition:
      return static_cast<double>(request.tool_count);
    case Source::kActiveToolLoop:
      return request.active_tool_loop ? 1 : 0;
    case Source::kImageContent:
      return static_cast<double>(std::count_if(
          messages.begin(), messages.end(), [](const auto& message) { return message.has_image; }));
  }
  return 0;
}

exchange::SignalValue Conversations::evaluate(std::uint32_t index, const Inputs& inputs) const {
  const Rule& rule = rules_[index];
  double value = count(rule, inputs.request);
  if (rule.exists) value = value > 0 ? 1 : 0;
  const auto& bounds = rule.predicate;
  const bool has_predicate = bounds.gt || bounds.gte || bounds.lt || bounds.lte;
  return matched(has_predicate ? bounds.holds(value) : value > 0);
}

}  // namespace signalbox::signals
