#include "signals/pii.h"

#include <algorithm>

#include "base/limits.h"
#include "tokenize/unicode.h"

namespace signalbox::signals {

PiiRules::PiiRules(std::span<const config::PiiRule> rules) {
  for (const config::PiiRule& rule : rules) {
    Rule made{.threshold = rule.threshold, .history = rule.include_history};
    for (const std::string& name : rule.types_allowed) {
      if (const auto type = pii::parse_type(name))
        made.allowed[static_cast<std::size_t>(*type)] = true;
    }
    rules_.push_back(made);
  }
}

exchange::SignalValue PiiRules::evaluate(std::uint32_t index, const Found& found) const {
  const Rule& rule = rules_[index];
  float highest = 0;
  const auto look = [&](const std::vector<pii::Entity>& entities) {
    for (const pii::Entity& entity : entities) {
      if (rule.allowed[static_cast<std::size_t>(entity.type)]) continue;
      if (static_cast<double>(entity.confidence) < rule.threshold) continue;
      highest = std::max(highest, entity.confidence);
    }
  };
  look(found.prompt);
  if (rule.history) look(found.history);
  if (highest > 0) return matched(true, highest);
  const bool complete = found.names_seen && (!rule.history || found.history_names_seen);
  return complete ? matched(false, 0.0F) : failed();
}

std::string history_text(const exchange::Request& request) {
  std::string text;
  bool last_seen = false;
  std::vector<std::string_view> earlier;
  for (auto message = request.messages.rbegin(); message != request.messages.rend(); ++message) {
    // The last user message is the prompt itself.
    if (!last_seen && message->role == "user") {
      last_seen = true;
      continue;
    }
    earlier.push_back(message->text);
  }
  for (auto part = earlier.rbegin(); part != earlier.rend(); ++part) {
    text += *part;
    text += '\n';
  }
  if (text.size() <= limits::kPiiHistoryBytesMax) return text;
  const std::size_t cut = text.size() - limits::kPiiHistoryBytesMax;
  return text.substr(tokenize::utf8_prefix(text, cut));
}

}  // namespace signalbox::signals
