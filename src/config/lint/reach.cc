#include <fmt/core.h>

#include <algorithm>

#include "base/limits.h"
#include "config/lint/lint.h"

namespace signalbox::config::lint {
namespace {

bool same_predicate(const NumericPredicate& a, const NumericPredicate& b) {
  return a.gt == b.gt && a.gte == b.gte && a.lt == b.lt && a.lte == b.lte;
}

// Whether `first` is taken whenever both match, whatever the confidences are.
bool outranks(const Decision& first, const Decision& second, bool tiers) {
  if (tiers) return first.tier < second.tier;  // within a tier confidence decides
  if (first.priority != second.priority) return first.priority > second.priority;
  return first.name < second.name;
}

// AND(x, ..., NOT x) anywhere at the top.
bool contradicts_itself(const RuleNode& rule) {
  if (rule.op != RuleOperator::kAnd) return false;
  return std::ranges::any_of(rule.children, [&](const RuleNode& child) {
    if (child.op != RuleOperator::kNot || child.children.empty()) return false;
    return std::ranges::any_of(
        rule.children, [&](const RuleNode& other) { return same_rule(other, child.children[0]); });
  });
}

std::string why_shadowed(const Decision& by, const Decision& decision) {
  if (always_matches(by.rules))
    return fmt::format("'{}' always matches and is looked at before it", by.name);
  if (same_rule(by.rules, decision.rules) && by.priority == decision.priority) {
    return fmt::format("'{}' has the same rule and the same priority, and its name comes first",
                       by.name);
  }
  return fmt::format("whenever it matches, '{}' (line {}) matches too and is looked at before it",
                     by.name, by.line);
}

}  // namespace

bool same_rule(const RuleNode& a, const RuleNode& b) {
  if (a.op != b.op) return false;
  if (a.op == RuleOperator::kLeaf) {
    return a.type == b.type && a.name == b.name && a.label == b.label && a.on_error == b.on_error &&
           same_predicate(a.predicate, b.predicate);
  }
  return std::ranges::equal(a.children, b.children, same_rule);
}

bool always_matches(const RuleNode& rule) {
  switch (rule.op) {
    case RuleOperator::kAnd:
      return std::ranges::all_of(rule.children, always_matches);
    case RuleOperator::kOr:
      return std::ranges::any_of(rule.children, always_matches);
    case RuleOperator::kNot:
    case RuleOperator::kLeaf:
      return false;
  }
  return false;
}

bool implies(const RuleNode& a, const RuleNode& b, int& steps_left) {
  if (--steps_left < 0) return false;
  if (always_matches(b) || same_rule(a, b)) return true;
  const auto from_child = [&](const RuleNode& child) { return implies(child, b, steps_left); };
  const auto to_child = [&](const RuleNode& child) { return implies(a, child, steps_left); };
  if (a.op == RuleOperator::kOr && !a.children.empty())
    return std::ranges::all_of(a.children, from_child);
  if (b.op == RuleOperator::kAnd) return std::ranges::all_of(b.children, to_child);
  if (b.op == RuleOperator::kOr && std::ranges::any_of(b.children, to_child)) return true;
  if (a.op == RuleOperator::kAnd) return std::ranges::any_of(a.children, from_child);
  if (a.op == RuleOperator::kNot && b.op == RuleOperator::kNot && !a.children.empty() &&
      !b.children.empty()) {
    return implies(b.children[0], a.children[0], steps_left);
  }
  return false;
}

void check_reach(const Program& program, Findings& findings) {
  const auto& decisions = program.routing.decisions;
  const bool tiers = std::ranges::any_of(decisions, [](const Decision& d) { return d.tier != 0; });
  int steps_left = limits::kCheckStepsMax;
  for (const auto& decision : decisions) {
    if (contradicts_itself(decision.rules)) {
      findings.warn("impossible-decision", decision.line, decision_path(program, decision),
                    "its rule asks for a condition and for its opposite", "remove one of the two");
    }
    // Under strategy confidence the order is only known at run time.
    if (program.routing.strategy == Strategy::kConfidence && !tiers) continue;
    for (const auto& other : decisions) {
      if (&other == &decision || !outranks(other, decision, tiers)) continue;
      if (!implies(decision.rules, other.rules, steps_left)) continue;
      findings.warn("unreachable-decision", decision.line, decision_path(program, decision),
                    "can never win: " + why_shadowed(other, decision),
                    fmt::format("give it a higher priority than {}, or remove it", other.priority));
      break;
    }
  }
}

}  // namespace signalbox::config::lint
