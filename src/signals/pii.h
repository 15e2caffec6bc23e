// Signal "pii": does the prompt hold personal data of a kind that the rule does not allow? Names and places come from the
// encoder's pass; identifiers with a fixed form are found without it, so that a finding of theirs holds on every rung. With
// nothing found and no encoder to look for names the leaf fails, and the rule's on_error decides.
#pragma once

#include <array>
#include <span>
#include <string>
#include <vector>

#include "config/model.h"
#include "pii/entity.h"
#include "signals/inputs.h"

namespace signalbox::signals {

class PiiRules {
 public:
  PiiRules() = default;
  explicit PiiRules(std::span<const config::PiiRule> rules);

  // What was found: in the last user message, and, where some rule asks for it, in earlier messages.
  struct Found {
    std::vector<pii::Entity> prompt;
    std::vector<pii::Entity> history;
    bool names_seen = false;          // the encoder looked for names in the prompt
    bool history_names_seen = false;  // and in the history
  };
  exchange::SignalValue evaluate(std::uint32_t rule, const Found& found) const;

  bool wants_history(std::uint32_t rule) const { return rules_[rule].history; }
  double threshold(std::uint32_t rule) const { return rules_[rule].threshold; }

 private:
  struct Rule {
    std::array<bool, pii::kTypes> allowed{};
    double threshold = 0;
    bool history = false;
  };
  std::vector<Rule> rules_;
};

// All messages but the one that `user_text` is, one a line, cut at limits::kPiiHistoryBytesMax from the front: the latest
// count.
std::string history_text(const exchange::Request& request);

}  // namespace signalbox::signals
