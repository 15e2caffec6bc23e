#include "decision/program.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/limits.h"

namespace signalbox::decision {
namespace {

using config::RuleOperator;
using exchange::SignalState;

constexpr std::uint8_t kWantMatch = 1;
constexpr std::uint8_t kWantConfidence = 2;

Bounds all_of(std::span<const Bounds> children) {
  Bounds result{0, 0, Match::kYes};
  for (const Bounds& child : children) {
    if (child.match == Match::kNo) return Bounds{0, 0, Match::kNo};
    if (child.match == Match::kMaybe) result.match = Match::kMaybe;
    result.low += child.low;
    result.high += child.high;
  }
  if (children.empty()) return result;
  const auto count = static_cast<double>(children.size());
  result.low /= count;
  result.high /= count;
  return result;
}

// Lower bound: the best child known to match, or, where none is known, the weakest that alone could
// make the match.
Bounds any_of(std::span<const Bounds> children) {
  Bounds result{0, 0, Match::kNo};
  double weakest = std::numeric_limits<double>::infinity();
  for (const Bounds& child : children) {
    if (child.match == Match::kNo) continue;
    result.high = std::max(result.high, child.high);
    weakest = std::min(weakest, child.low);
    if (child.match == Match::kYes) {
      result.low = std::max(result.low, child.low);
      result.match = Match::kYes;
    } else if (result.match == Match::kNo) {
      result.match = Match::kMaybe;
    }
  }
  if (result.match == Match::kMaybe) result.low = weakest;
  return result;
}

Bounds none_of(const Bounds& child) {
  switch (child.match) {
    case Match::kNo:
      return Bounds{1, 1, Match::kYes};
    case Match::kYes:
      return Bounds{0, 0, Match::kNo};
    case Match::kMaybe:
      break;
  }
  return Bounds{1, 1, Match::kMaybe};
}

}  // namespace

State::State(const Program& program) { reset(program); }

void State::reset(const Program& program) {
  values_.assign(program.leaves().size(), exchange::SignalValue{});
  bounds_.resize(program.nodes().size());
  wanted_.resize(program.nodes().size());
  leaf_wanted_.resize(program.leaves().size());
  demanded_.reserve(program.leaves().size());
  bounds_known_ = false;
}

bool Program::before(const Entry& a, double confidence_a, const Entry& b, double confidence_b) {
  if (a.major != b.major) return a.major < b.major;
  if (confidence_a != confidence_b) return confidence_a > confidence_b;
  return a.minor < b.minor;
}

Bounds Program::leaf_bounds(const Node& node, const exchange::SignalValue& value) const {
  switch (value.state) {
    case SignalState::kNotEvaluated:
      return Bounds{leaf_confidence_[node.leaf] != 0 ? 0.0 : 1.0, 1, Match::kMaybe};
    case SignalState::kNoMatch:
      return Bounds{0, 0, Match::kNo};
    case SignalState::kFailed:
      return node.on_error == config::OnError::kMatch ? Bounds{1, 1, Match::kYes}
                                                      : Bounds{0, 0, Match::kNo};
    case SignalState::kMatch:
      break;
  }
  double confidence = 1;
  if (leaf_confidence_[node.leaf] != 0) {
    // Written so that a NaN becomes 0: bounds must stay ordered.
    confidence =
        value.confidence > 0.0F ? std::min(static_cast<double>(value.confidence), 1.0) : 0.0;
  }
  return Bounds{confidence, confidence, Match::kYes};
}

std::span<const Bounds> Program::bounds(State& state) const {
  if (state.bounds_known_) return state.bounds_;
  state.bounds_known_ = true;
  for (std::size_t i = nodes_.size(); i-- > 0;) {
    const Node& node = nodes_[i];
    const std::span<const Bounds> children(state.bounds_.data() + node.first_child,
                                           node.child_count);
    switch (node.op) {
      case RuleOperator::kLeaf:
        state.bounds_[i] = leaf_bounds(node, state.values_[node.leaf]);
        break;
      case RuleOperator::kAnd:
        state.bounds_[i] = all_of(children);
        break;
      case RuleOperator::kOr:
        state.bounds_[i] = any_of(children);
        break;
      case RuleOperator::kNot:
        state.bounds_[i] = none_of(children.front());
        break;
    }
  }
  return state.bounds_;
}

// Hands a node's wish down to the children that can still change its answer.
void Program::want_children(State& state, std::uint32_t index) const {
  const Node& node = nodes_[index];
  const Bounds& bounds = state.bounds_[index];
  std::uint8_t want = state.wanted_[index];
  if (bounds.settled() || (want == kWantMatch && bounds.match != Match::kMaybe)) want = 0;
  if (node.op == RuleOperator::kLeaf) {
    if (want != 0) state.leaf_wanted_[node.leaf] = 1;
    return;
  }
  for (std::uint32_t child = node.first_child; child < node.first_child + node.child_count;
       ++child) {
    const Bounds& below = state.bounds_[child];
    std::uint8_t child_want = below.settled() ? 0 : want;
    if (node.op == RuleOperator::kNot && child_want != 0) child_want = kWantMatch;
    // A match is certain and this child cannot raise its confidence.
    if (node.op == RuleOperator::kOr && bounds.match == Match::kYes && below.high <= bounds.low)
      child_want = 0;
    state.wanted_[child] = child_want;
  }
}

bool Program::want_for_winner(State& state) const {
  bounds(state);
  const Entry* leader = nullptr;  // the best of those that match for sure, at its worst
  for (const Entry& entry : entries_) {
    const Bounds& root = state.bounds_[entry.root];
    if (root.match != Match::kYes) continue;
    if (leader == nullptr || before(entry, root.low, *leader, state.bounds_[leader->root].low))
      leader = &entry;
  }
  bool any = false;
  for (const Entry& entry : entries_) {
    const Bounds& root = state.bounds_[entry.root];
    const bool beaten = leader != nullptr && leader != &entry &&
                        before(*leader, state.bounds_[leader->root].low, entry, root.high);
    const bool open = !root.settled() && !beaten;
    state.wanted_[entry.root] = open ? kWantMatch | kWantConfidence : 0;
    any = any || open;
  }
  if (!any) return false;
  for (std::uint32_t i = 0; i < nodes_.size(); ++i) want_children(state, i);
  return true;
}

std::span<const std::uint32_t> Program::demand(State& state, const DemandOptions& options) const {
  state.demanded_.clear();
  std::fill(state.leaf_wanted_.begin(), state.leaf_wanted_.end(), options.exhaustive ? 1 : 0);
  if (!options.exhaustive && !want_for_winner(state) && options.kinds == 0 &&
      options.leaves.empty())
    return {};
  for (const std::uint32_t leaf : options.leaves) {
    if (leaf < leaves_.size()) state.leaf_wanted_[leaf] = 1;
  }
  std::uint8_t cheapest = std::numeric_limits<std::uint8_t>::max();
  for (std::uint32_t leaf = 0; leaf < leaves_.size(); ++leaf) {
    if (state.values_[leaf].state != SignalState::kNotEvaluated) continue;
    if (state.leaf_wanted_[leaf] == 0 && (options.kinds & kind_bit(leaves_[leaf].kind)) == 0)
      continue;
    const std::uint8_t tier = leaf_tiers_[leaf];
    if (tier > cheapest) continue;
    if (tier < cheapest) state.demanded_.clear();
    cheapest = tier;
    state.demanded_.push_back(leaf);
  }
  return state.demanded_;
}

double Program::margin(const Entry& winner, double confidence, const Entry& other,
                       double other_confidence) const {
  if (order_ == Order::kPriority) return static_cast<double>(other.major - winner.major);
  if (winner.major != other.major) return static_cast<double>(other.major - winner.major);
  return confidence - other_confidence;
}

exchange::Decision Program::decide(State& state) const {
  bounds(state);
  const Entry* winner = nullptr;
  const Entry* second = nullptr;
  const auto low = [&state](const Entry* entry) { return state.bounds_[entry->root].low; };
  for (const Entry& entry : entries_) {
    if (state.bounds_[entry.root].match != Match::kYes) continue;
    if (winner == nullptr || before(entry, low(&entry), *winner, low(winner))) {
      second = std::exchange(winner, &entry);
    } else if (second == nullptr || before(entry, low(&entry), *second, low(second))) {
      second = &entry;
    }
  }
  exchange::Decision result;
  result.use_default = winner == nullptr;
  if (winner == nullptr) return result;
  result.decision = winner->decision;
  result.confidence = low(winner);
  if (second != nullptr) {
    result.runner_up = second->decision;
    result.margin = margin(*winner, low(winner), *second, low(second));
  }
  return result;
}

}  // namespace signalbox::decision
