#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "base/text.h"
#include "config/labels.h"
#include "config/lint/lint.h"

namespace signalbox::config::lint {
namespace {

constexpr double kDomainThresholdMax = 0.99;
constexpr double kDomainThresholdMin = 1.0 / kDomainLabels.size();  // what guessing gives
constexpr double kEmbeddingThresholdMax = 0.95;
constexpr double kEmbeddingThresholdMin = 0.2;  // unrelated sentences already lie near it
constexpr double kLanguageThresholdMax = 0.99;

using Used = std::set<std::pair<std::string, std::string>>;

void collect(const RuleNode& rule, Used& used) {
  if (rule.op == RuleOperator::kLeaf) used.emplace(rule.type, rule.name);
  for (const auto& child : rule.children) collect(child, used);
}

std::string signal_path(const Program& program, std::string_view kind, std::string_view name) {
  return fmt::format("{}routing.signals.{}.{}", program.prefix, kind, name);
}

void check_keywords(const Program& program, const KeywordRule& rule, Findings& findings) {
  const auto path = signal_path(program, "keywords", rule.name);
  std::set<std::string> seen;
  std::string common;
  for (const auto& keyword : rule.keywords) {
    const auto folded = rule.case_sensitive ? keyword : to_lower(keyword);
    if (!seen.insert(folded).second) {
      findings.warn("duplicate-keyword", rule.line, path,
                    fmt::format("keyword '{}' stands twice", keyword), "remove one");
    }
    if (is_common_word(to_lower(keyword)))
      common += fmt::format("{}'{}'", common.empty() ? "" : ", ", keyword);
  }
  // An AND needs the other words too, so a common one does little harm.
  const bool alone = rule.op != KeywordOperator::kAnd || rule.keywords.size() == 1;
  if (common.empty() || !alone) return;
  findings.warn("common-keyword", rule.line, path,
                fmt::format("{} {} in prompts about anything", common,
                            common.find(',') == std::string::npos ? "is a common word and turns up"
                                                                  : "are common words and turn up"),
                "use phrases, such as 'think step by step'");
}

// The same word in two rules pulls one prompt to two decisions.
void check_shared_keywords(const Program& program, Findings& findings) {
  std::map<std::string, const KeywordRule*> owner;
  for (const auto& rule : program.routing.signals.keywords) {
    if (rule.op == KeywordOperator::kNor) continue;
    for (const auto& keyword : rule.keywords) {
      const auto [found, fresh] = owner.emplace(to_lower(keyword), &rule);
      if (fresh || found->second == &rule) continue;
      findings.note("duplicate-keyword", rule.line, signal_path(program, "keywords", rule.name),
                    fmt::format("keyword '{}' also stands in '{}'", keyword, found->second->name),
                    "keep it where it belongs");
    }
  }
}

void check_labels(const Program& program, const DomainRule& rule, Findings& findings) {
  std::vector<std::string> labels = rule.mmlu_categories;
  if (labels.empty()) labels.push_back(rule.name);
  for (const auto& label : labels) {
    if (is_domain_label(label)) continue;
    const auto meant = did_you_mean(label, kDomainLabels);
    std::string known;
    for (const auto word : kDomainLabels)
      known += fmt::format("{}{}", known.empty() ? "" : ", ", word);
    findings.warn(
        "unknown-label", rule.line, signal_path(program, "domains", rule.name),
        fmt::format("the classifier has no label '{}': this signal can never match", label),
        meant ? fmt::format("did you mean '{}'?", *meant) : "its labels are " + known);
  }
}

void check_threshold(double threshold, double min, double max, int line, const std::string& path,
                     Findings& findings) {
  if (threshold >= min && threshold <= max) return;
  findings.warn("useless-threshold", line, path,
                threshold > max
                    ? fmt::format("threshold {} is hardly ever reached", threshold)
                    : fmt::format("threshold {} is passed by almost anything", threshold),
                fmt::format("{:.2g} to {:.2g} is the useful range", min, max));
}

template <class Rule>
void check_unused(const Program& program, const std::vector<Rule>& rules, std::string_view kind,
                  std::string_view type, const Used& used, Findings& findings) {
  for (const auto& rule : rules) {
    if (used.contains({std::string(type), rule.name})) continue;
    findings.warn("unused-signal", rule.line, signal_path(program, kind, rule.name),
                  "no decision uses this signal", "use it in a rule, or remove it");
  }
}

void check_all_unused(const Program& program, const Used& used, Findings& findings) {
  const Signals& signals = program.routing.signals;
  check_unused(program, signals.keywords, "keywords", "keyword", used, findings);
  check_unused(program, signals.embeddings, "embeddings", "embedding", used, findings);
  check_unused(program, signals.domains, "domains", "domain", used, findings);
  check_unused(program, signals.languages, "language", "language", used, findings);
  check_unused(program, signals.contexts, "context", "context", used, findings);
  check_unused(program, signals.structures, "structure", "structure", used, findings);
  check_unused(program, signals.conversations, "conversation", "conversation", used, findings);
  check_unused(program, signals.metadata, "metadata", "metadata", used, findings);
  check_unused(program, signals.role_bindings, "role_bindings", "authz", used, findings);
  check_unused(program, signals.jailbreaks, "jailbreak", "jailbreak", used, findings);
  check_unused(program, signals.pii, "pii", "pii", used, findings);
  check_unused(program, signals.fact_checks, "fact_check", "fact_check", used, findings);
  check_unused(program, signals.user_feedbacks, "user_feedbacks", "user_feedback", used, findings);
}

// NOT of a signal that is never there always holds: worth more than "not supported yet".
void check_missing(const Program& program, Findings& findings) {
  std::set<std::string> missing;
  for (const auto& signal : program.routing.signals.unsupported) missing.insert(signal.kind);
  for (const auto& decision : program.routing.decisions) {
    Used used;
    collect(decision.rules, used);
    for (const auto& [type, name] : used) {
      if (!missing.contains(type) && type != "projection") continue;
      findings.warn(
          "missing-signal", decision.line, decision_path(program, decision),
          fmt::format("its rule reads {} '{}', which this release does not evaluate", type, name),
          "on_error decides what that counts as; under NOT it always holds");
    }
  }
}

}  // namespace

void check_signals(const Config& config, const Program& program, Findings& findings) {
  const Signals& signals = program.routing.signals;
  Used used;
  for (const auto& decision : program.routing.decisions) collect(decision.rules, used);
  for (const auto& rule : signals.keywords) check_keywords(program, rule, findings);
  check_shared_keywords(program, findings);
  for (const auto& rule : signals.domains) check_labels(program, rule, findings);
  for (const auto& rule : signals.embeddings) {
    check_threshold(rule.threshold, kEmbeddingThresholdMin, kEmbeddingThresholdMax, rule.line,
                    signal_path(program, "embeddings", rule.name), findings);
  }
  for (const auto& rule : signals.languages) {
    check_threshold(rule.threshold, 0, kLanguageThresholdMax, rule.line,
                    signal_path(program, "language", rule.name), findings);
  }
  if (config.domain_threshold > 0 && !signals.domains.empty()) {
    check_threshold(config.domain_threshold, kDomainThresholdMin, kDomainThresholdMax, 0,
                    "global.model_catalog.modules.classifier.domain.threshold", findings);
  }
  check_all_unused(program, used, findings);
  check_missing(program, findings);
}

}  // namespace signalbox::config::lint
