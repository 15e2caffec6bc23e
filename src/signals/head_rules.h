// Signals that a trained text head answers: jailbreak, complexity, fact_check, user_feedback and our own task_kind. A leaf
// asks for one label (or for a detector's finding); scores in the head's abstain band fail, so that the rule's on_error
// decides. The heads are English: of a text in another language only a finding of the jailbreak head counts, everything
// else fails.
//
// A jailbreak rule may compare with its own patterns instead (contrastive) or as well (hybrid: either finds), and a
// complexity rule with hard and easy candidates: then the difference of the similarities decides (contrast.h), in any
// language.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "config/model.h"
#include "encoder/encoder.h"
#include "exchange/leaf.h"
#include "signals/contrast.h"
#include "signals/inputs.h"

namespace signalbox::signals {

// The head behind a kind of leaf; nothing for other kinds.
std::optional<encoder::Task> task_of(exchange::LeafKind kind);

class HeadRules {
 public:
  HeadRules() = default;
  // `encoder` may be null: then every rule fails when evaluated.
  explicit HeadRules(const encoder::Encoder* encoder) : encoder_(encoder) {}

  // Binds a leaf of one of these kinds and returns its rule. Nothing where no such rule is configured or the kind has no
  // label of that name.
  std::optional<std::uint32_t> bind(const exchange::Leaf& leaf, const config::Signals& signals,
                                    double task_kind_threshold);
  // Embeds the examples of all rules; before the first bind(). Errors: the encoder's own.
  Result<void> compile_examples(const config::Signals& signals);

  // What a rule needs to know of a text.
  encoder::Demand demand(std::uint32_t rule) const;
  // Earlier messages count too.
  bool wants_history(std::uint32_t rule) const { return rules_[rule].history; }
  // `analysis` is of the last user message; what it lacks fails. `foreign`: the text is surely not English.
  exchange::SignalValue evaluate(std::uint32_t rule, const encoder::Analysis& analysis,
                                 const Inputs& inputs, bool foreign) const;

  // What a leaf's confidence has to reach; nothing where any confidence will do or without a head.
  std::optional<double> threshold(std::uint32_t rule) const;

 private:
  struct Rule {
    encoder::Task task = encoder::Task::kJailbreak;
    std::string label;     // of the head; of a detector empty
    bool positive = true;  // of a detector: the finding is asked for, not its absence
    double threshold = 0;  // 0: the head's own
    bool history = false;
    bool asks_head = true;
    Contrast contrast;              // empty: no examples
    double contrast_threshold = 0;  // of the difference
  };
  exchange::SignalValue ask_head(const Rule& rule, std::span<const float> probabilities,
                                 const Inputs& inputs, bool foreign) const;
  static exchange::SignalValue compare(const Rule& rule, std::span<const float> embedding);
  exchange::SignalValue find(const Rule& rule, const encoder::TextHead& head,
                             std::span<const float> probabilities, bool foreign) const;
  static exchange::SignalValue choose(const Rule& rule, const encoder::TextHead& head,
                                      std::span<const float> probabilities);

  const encoder::Encoder* encoder_ = nullptr;
  std::vector<Rule> rules_;
  std::map<std::string, Contrast> jailbreak_examples_, complexity_examples_;  // by rule name
};

}  // namespace signalbox::signals
