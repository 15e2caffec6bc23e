// Signal "conversation": how many messages of a role, tool definitions or images the request holds, or whether it
// continues a tool loop, and a predicate on that number. Without a predicate anything above 0 matches.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "config/model.h"
#include "signals/inputs.h"

namespace signalbox::signals {

class Conversations {
 public:
  Conversations() = default;
  // Errors: kConfig naming the rule (unknown feature or source).
  static Result<Conversations> compile(std::span<const config::ConversationRule> rules);
  exchange::SignalValue evaluate(std::uint32_t rule, const Inputs& inputs) const;

 private:
  enum class Source { kMessage, kToolDefinition, kActiveToolLoop, kImageContent };
  struct Rule {
    Source source = Source::kMessage;
    bool exists = false;  // 1 or 0 instead of the count
    std::string role;     // of kMessage; empty: any
    config::NumericPredicate predicate;
  };
  static double count(const Rule& rule, const exchange::Request& request);
  std::vector<Rule> rules_;
};

}  // namespace signalbox::signals
