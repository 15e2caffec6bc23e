#include "decision/explain.h"

#include <fmt/format.h>

#include <algorithm>

namespace signalbox::decision {
namespace {

using config::RuleOperator;
using exchange::SignalState;

constexpr std::size_t kNamesShown = 3;

// "a, b, c and 4 more"
std::string listed(const std::vector<std::string>& parts, std::string_view separator) {
  std::string out;
  for (std::size_t i = 0; i < parts.size() && i < kNamesShown; ++i) {
    if (i > 0) out += separator;
    out += parts[i];
  }
  if (parts.size() > kNamesShown) out += fmt::format(" and {} more", parts.size() - kNamesShown);
  return out;
}

// Tells the story of one tree.
class Narrator {
 public:
  Narrator(const Program& program, State& state)
      : program_(program), values_(state.values()), bounds_(program.bounds(state)) {}

  std::string why(std::uint32_t index) const {
    switch (bounds_[index].match) {
      case Match::kYes:
        return why_matched(index);
      case Match::kNo:
        return why_unmatched(index);
      case Match::kMaybe:
        return "depends on " + listed(open_leaves(index), ", ");
    }
    return {};
  }

  std::vector<std::string> open_leaves(std::uint32_t index) const {
    std::vector<std::string> names;
    each_leaf(index, [&](std::uint32_t leaf) {
      if (values_[leaf].state != SignalState::kNotEvaluated) return;
      if (auto name = leaf_name(leaf); std::find(names.begin(), names.end(), name) == names.end()) {
        names.push_back(std::move(name));
      }
    });
    return names;
  }

  bool names_leaf(std::uint32_t index, std::uint32_t wanted) const {
    bool found = false;
    each_leaf(index, [&](std::uint32_t leaf) { found = found || leaf == wanted; });
    return found;
  }

 private:
  template <class Visit>
  void each_leaf(std::uint32_t index, Visit visit) const {
    const Node& node = program_.nodes()[index];
    if (node.op == RuleOperator::kLeaf) return visit(node.leaf);
    for (std::uint32_t i = 0; i < node.child_count; ++i) each_leaf(node.first_child + i, visit);
  }

  std::string leaf_name(std::uint32_t leaf) const {
    return fmt::format("{} '{}'", program_.leaves()[leaf].type, program_.leaves()[leaf].name);
  }

  std::string leaf_verdict(const Node& node) const {
    const auto& value = values_[node.leaf];
    const std::string name = leaf_name(node.leaf);
    if (value.state == SignalState::kFailed) {
      const bool counts = node.on_error == config::OnError::kMatch;
      return fmt::format("{} failed, which counts as {}", name, counts ? "a match" : "no match");
    }
    if (value.state != SignalState::kMatch) return name + " did not match";
    if (!exchange::has_confidence(program_.leaves()[node.leaf].kind)) return name + " matched";
    return fmt::format("{} matched with {:.2f}", name, value.confidence);
  }

  std::string why_matched(std::uint32_t index) const {
    const Node& node = program_.nodes()[index];
    switch (node.op) {
      case RuleOperator::kLeaf:
        return leaf_verdict(node);
      case RuleOperator::kNot:
        return why(node.first_child);
      case RuleOperator::kAnd:
        return node.child_count == 0 ? "always matches" : joined(node, Match::kYes);
      case RuleOperator::kOr:
        break;
    }
    std::uint32_t best = node.first_child;
    for (std::uint32_t child = best; child < node.first_child + node.child_count; ++child) {
      const bool better =
          bounds_[best].match != Match::kYes || bounds_[child].low > bounds_[best].low;
      if (bounds_[child].match == Match::kYes && better) best = child;
    }
    return why(best);
  }

  std::string why_unmatched(std::uint32_t index) const {
    const Node& node = program_.nodes()[index];
    if (node.op == RuleOperator::kLeaf) return leaf_verdict(node);
    if (node.op == RuleOperator::kNot) return why(node.first_child);
    if (node.op == RuleOperator::kOr)
      return node.child_count == 0 ? "has no conditions" : joined(node, Match::kNo);
    for (std::uint32_t child = node.first_child; child < node.first_child + node.child_count;
         ++child) {
      if (bounds_[child].match == Match::kNo) return why(child);
    }
    return {};
  }

  std::string joined(const Node& node, Match match) const {
    std::vector<std::string> parts;
    for (std::uint32_t child = node.first_child; child < node.first_child + node.child_count;
         ++child) {
      if (bounds_[child].match == match) parts.push_back(why(child));
    }
    return listed(parts, "; ");
  }

  const Program& program_;
  std::span<const exchange::SignalValue> values_;
  std::span<const Bounds> bounds_;
};

std::string_view order_in_words(Order order) {
  switch (order) {
    case Order::kPriority:
      return "higher priority, then higher confidence, then name";
    case Order::kConfidence:
      return "higher confidence, then higher priority, then name";
    case Order::kTiers:
      return "lower tier, then higher confidence, then higher priority, then name";
  }
  return {};
}

// Which key puts the winner before this decision, given the most confidence it could have.
std::string beaten_by(const Program& program, const Entry& winner, double confidence,
                      const Entry& other, double other_confidence) {
  const auto& name = winner.decision->name;
  if (winner.major != other.major) {
    return program.order() == Order::kTiers
               ? fmt::format("'{}' has tier {} against {}", name, winner.decision->tier,
                             other.decision->tier)
               : fmt::format("'{}' has priority {} against {}", name, winner.decision->priority,
                             other.decision->priority);
  }
  if (confidence != other_confidence) {
    return fmt::format("'{}' has confidence {:.2f} against {:.2f}", name, confidence,
                       other_confidence);
  }
  if (winner.decision->priority != other.decision->priority) {
    return fmt::format("'{}' has priority {} against {}", name, winner.decision->priority,
                       other.decision->priority);
  }
  return fmt::format("'{}' sorts first by name", name);
}

std::string why_skipped(const Program& program, const Narrator& narrator, const Explanation& so_far,
                        std::uint32_t leaf) {
  std::vector<std::string> open;
  for (std::size_t i = 0; i < program.entries().size(); ++i) {
    if (so_far.decisions[i].standing == Standing::kOpen &&
        narrator.names_leaf(program.entries()[i].root, leaf)) {
      open.push_back(fmt::format("'{}'", program.entries()[i].decision->name));
    }
  }
  if (open.empty()) return "the rules that name it were settled without it";
  return fmt::format("only {} could change, and cannot win any more", listed(open, ", "));
}

}  // namespace

Explanation explain(const Program& program, State& state) {
  Explanation out;
  out.winner = program.decide(state);
  out.order = order_in_words(program.order());
  const Narrator narrator(program, state);
  const auto bounds = program.bounds(state);
  const auto entries = program.entries();
  const auto winner = std::find_if(entries.begin(), entries.end(), [&](const Entry& entry) {
    return entry.decision == out.winner.decision;
  });
  for (const Entry& entry : entries) {
    DecisionReason reason{
        .decision = entry.decision, .bounds = bounds[entry.root], .why = narrator.why(entry.root)};
    const bool is_winner = winner != entries.end() && entry.decision == winner->decision;
    if (is_winner) {
      reason.standing = Standing::kWinner;
    } else if (reason.bounds.match == Match::kNo) {
      reason.standing = Standing::kUnmatched;
    } else {
      reason.standing = reason.bounds.match == Match::kYes ? Standing::kBeaten : Standing::kOpen;
      if (winner != entries.end()) {
        reason.why +=
            "; " + beaten_by(program, *winner, out.winner.confidence, entry, reason.bounds.high);
      }
    }
    out.decisions.push_back(std::move(reason));
  }
  for (std::uint32_t leaf = 0; leaf < program.leaves().size(); ++leaf) {
    const bool evaluated = state.values()[leaf].state != SignalState::kNotEvaluated;
    out.skipped.push_back(evaluated ? std::string() : why_skipped(program, narrator, out, leaf));
  }
  return out;
}

}  // namespace signalbox::decision
