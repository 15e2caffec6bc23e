#include "signals/head_rules.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "config/labels.h"
#include "encoder/text_head.h"

namespace signalbox::signals {
namespace {

using encoder::Task;
using exchange::LeafKind;

// Names of user_feedback rules and the labels of the head, which are those of the reference system's model.
constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kFeedbacks{{
    {"satisfied", "SAT"},
    {"need_clarification", "NEED_CLARIFICATION"},
    {"wrong_answer", "WRONG_ANSWER"},
    {"want_different", "WANT_DIFFERENT"},
}};
constexpr std::array<std::string_view, 3> kLevels{"easy", "medium", "hard"};
// How much nearer to one side counts, where a rule says nothing; the reference system's default.
constexpr double kContrastThreshold = 0.1;
constexpr std::string_view kFactCheckNeeded = "needs_fact_check";
constexpr std::string_view kFactCheckFree = "no_fact_check_needed";

const config::HeadRule* find_rule(const std::vector<config::HeadRule>& rules,
                                  std::string_view name) {
  const auto at = std::ranges::find(rules, name, &config::HeadRule::name);
  return at == rules.end() ? nullptr : &*at;
}

// "reasoning:hard" is level hard of rule reasoning; a bare name asks for hard.
std::pair<std::string_view, std::string_view> split_level(std::string_view name) {
  const std::size_t colon = name.rfind(':');
  if (colon == std::string_view::npos) return {name, "hard"};
  return {name.substr(0, colon), name.substr(colon + 1)};
}

// Feedback is on an answer; the first message of a conversation cannot be any.
bool has_answer(const Inputs& inputs) {
  return std::ranges::any_of(inputs.request.messages, [](const exchange::Message& message) {
    return message.role == "assistant";
  });
}

}  // namespace

std::optional<Task> task_of(LeafKind kind) {
  switch (kind) {
    case LeafKind::kJailbreak:
      return Task::kJailbreak;
    case LeafKind::kComplexity:
      return Task::kComplexity;
    case LeafKind::kFactCheck:
      return Task::kFactCheck;
    case LeafKind::kUserFeedback:
      return Task::kFeedback;
    case LeafKind::kTaskKind:
      return Task::kTaskKind;
    default:
      return std::nullopt;
  }
}

std::optional<std::uint32_t> HeadRules::bind(const exchange::Leaf& leaf,
                                             const config::Signals& signals,
                                             double task_kind_threshold) {
  const auto task = task_of(leaf.kind);
  if (!task) return std::nullopt;
  Rule made{.task = *task};
  const config::HeadRule* rule = nullptr;
  if (*task == Task::kJailbreak) {
    rule = find_rule(signals.jailbreaks, leaf.name);
  } else if (*task == Task::kComplexity) {
    const auto [name, level] = split_level(leaf.name);
    rule = find_rule(signals.complexities, name);
    if (std::ranges::find(kLevels, level) == kLevels.end()) return std::nullopt;
    made.label = level;
  } else if (*task == Task::kFactCheck) {
    rule = find_rule(signals.fact_checks, leaf.name);
    if (leaf.name != kFactCheckNeeded && leaf.name != kFactCheckFree) return std::nullopt;
    made.positive = leaf.name == kFactCheckNeeded;
  } else if (*task == Task::kFeedback) {
    rule = find_rule(signals.user_feedbacks, leaf.name);
    const auto known =
        std::ranges::find(kFeedbacks, leaf.name, [](auto& pair) { return pair.first; });
    if (known == kFeedbacks.end()) return std::nullopt;
    made.label = known->second;
  } else {
    if (std::ranges::find(config::kTaskKinds, leaf.name) == config::kTaskKinds.end())
      return std::nullopt;
    made.label = leaf.name;
    made.threshold = task_kind_threshold;
  }
  if (rule == nullptr && *task != Task::kTaskKind) return std::nullopt;
  if (rule != nullptr) made.threshold = rule->threshold;
  if (*task == Task::kJailbreak && rule->method != config::HeadRule::Method::kClassifier) {
    made.contrast = jailbreak_examples_[rule->name];
    made.asks_head = rule->method == config::HeadRule::Method::kHybrid;
  } else if (*task == Task::kComplexity && !rule->positive_examples.empty()) {
    made.contrast = complexity_examples_[rule->name];
    made.asks_head = false;
  }
  // With a head to ask as well, the threshold is the head's.
  made.contrast_threshold =
      made.threshold > 0 && !made.asks_head ? made.threshold : kContrastThreshold;
  made.history = rule != nullptr && rule->include_history;
  rules_.push_back(std::move(made));
  return static_cast<std::uint32_t>(rules_.size() - 1);
}

exchange::SignalValue HeadRules::find(const Rule& rule, const encoder::TextHead& head,
                                      std::span<const float> probabilities, bool foreign) const {
  const encoder::HeadMeta& meta = head.meta();
  const auto score = static_cast<double>(head.score(probabilities));
  const double threshold = rule.threshold > 0 ? rule.threshold : meta.threshold;
  const bool found = score >= threshold;
  if (foreign && !(found && rule.task == Task::kJailbreak)) return failed();
  const bool uncertain =
      rule.threshold == 0 && score >= meta.abstain_low && score < meta.abstain_high;
  if (uncertain) return failed();
  const auto confidence = static_cast<float>(rule.positive ? score : 1 - score);
  return matched(found == rule.positive, confidence);
}

exchange::SignalValue HeadRules::choose(const Rule& rule, const encoder::TextHead& head,
                                        std::span<const float> probabilities) {
  const encoder::Top best = encoder::top(probabilities);
  const auto confidence = static_cast<double>(best.probability);
  if (confidence < head.meta().abstain_high) return failed();
  const auto label = std::ranges::find(head.labels(), rule.label);
  if (label == head.labels().end()) return failed();
  const auto index = static_cast<std::size_t>(label - head.labels().begin());
  const bool same = index == static_cast<std::size_t>(best.index);
  return matched(same && confidence >= rule.threshold, probabilities[index]);
}

Result<void> HeadRules::compile_examples(const config::Signals& signals) {
  if (encoder_ == nullptr) return {};
  for (const auto* rules : {&signals.jailbreaks, &signals.complexities}) {
    auto& examples = rules == &signals.jailbreaks ? jailbreak_examples_ : complexity_examples_;
    for (const config::HeadRule& rule : *rules) {
      if (rule.positive_examples.empty()) continue;
      SBX_TRY(examples[rule.name],
              Contrast::compile(rule.positive_examples, rule.negative_examples, *encoder_));
    }
  }
  return {};
}

encoder::Demand HeadRules::demand(std::uint32_t index) const {
  const Rule& rule = rules_[index];
  auto demand = rule.asks_head ? encoder::demand_of(rule.task) : encoder::Demand::kNone;
  if (!rule.contrast.empty()) demand |= encoder::Demand::kEmbedding;
  return demand;
}

// A jailbreak rule asks whether the text is nearer to attacks, a complexity rule for one of three levels.
exchange::SignalValue HeadRules::compare(const Rule& rule, std::span<const float> embedding) {
  const auto difference = rule.contrast.score(embedding);
  if (!difference) return failed();
  const auto value = static_cast<double>(*difference);
  const float confidence = std::clamp(std::abs(*difference), 0.0F, 1.0F);
  if (rule.task == Task::kJailbreak)
    return matched(value >= rule.contrast_threshold, std::clamp(*difference, 0.0F, 1.0F));
  const std::string_view level = value > rule.contrast_threshold    ? "hard"
                                 : value < -rule.contrast_threshold ? "easy"
                                                                    : "medium";
  return matched(level == rule.label, level == "medium" ? 1 - confidence : confidence);
}

exchange::SignalValue HeadRules::evaluate(std::uint32_t index, const encoder::Analysis& analysis,
                                          const Inputs& inputs, bool foreign) const {
  const Rule& rule = rules_[index];
  if (rule.contrast.empty() && rule.asks_head)
    return ask_head(rule, analysis.of(rule.task), inputs, foreign);
  const auto near = compare(rule, analysis.embedding);
  if (!rule.asks_head || near.state == exchange::SignalState::kMatch) return near;
  return ask_head(rule, analysis.of(rule.task), inputs, foreign);
}

exchange::SignalValue HeadRules::ask_head(const Rule& rule, std::span<const float> probabilities,
                                          const Inputs& inputs, bool foreign) const {
  const encoder::TextHead* head = encoder_ == nullptr ? nullptr : encoder_->head(rule.task);
  if (head == nullptr || probabilities.size() != head->labels().size()) return failed();
  if (rule.task == Task::kFeedback && !has_answer(inputs)) return matched(false, 0.0F);
  if (!head->meta().positive.empty()) return find(rule, *head, probabilities, foreign);
  return foreign ? failed() : choose(rule, *head, probabilities);
}

std::optional<double> HeadRules::threshold(std::uint32_t index) const {
  const Rule& rule = rules_[index];
  if (!rule.asks_head) return rule.contrast_threshold;
  if (rule.threshold > 0) return rule.threshold;
  const encoder::TextHead* head = encoder_ == nullptr ? nullptr : encoder_->head(rule.task);
  if (head == nullptr || head->meta().positive.empty()) return std::nullopt;
  return head->meta().threshold;
}

}  // namespace signalbox::signals
