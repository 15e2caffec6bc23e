// The decision stage: rule trees compiled into flat arrays, and the two questions a request asks of
// them: which leaves are worth evaluating next (demand), and who has won (decide). Knows leaves by
// index only; signals/ evaluates them.
//
//   State state(program);                        // reusable, one per core
//   state.reset(program);
//   for (auto leaves = program.demand(state, options); !leaves.empty(); leaves =
//   program.demand(state, options))
//     for (auto leaf : leaves) state.set(leaf, ...);
//   exchange::Decision decision = program.decide(state);
//
// Meaning of a tree (facts of the published engine): AND matches when all children match,
// confidence is their mean; OR when any does, confidence of its best matching child; NOT when its
// child does not, confidence 1; an empty AND always matches, confidence 0; an empty OR never. A
// leaf without a notion of confidence counts 1. A leaf that failed counts as on_error says: match
// (confidence 1) or no match.
//
// Order of matching decisions: if any decision of the program has a tier above 0, lower tier, then
// confidence, then priority, then name; else strategy priority (priority, confidence, name) or
// confidence (confidence, priority, name).
//
// A Program is immutable and shared by all threads; a State belongs to one request at a time.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "config/model.h"
#include "exchange/exchange.h"
#include "exchange/leaf.h"

namespace signalbox::decision {

class Program;

// What is known of a node: does it match, and between which confidences if it does.
enum class Match : std::uint8_t { kNo, kMaybe, kYes };
struct Bounds {
  double low = 0;
  double high = 0;
  Match match = Match::kMaybe;
  bool settled() const { return match == Match::kNo || (match == Match::kYes && low == high); }
};

// Leaf values of one request and the scratch memory of the two questions; allocates only when made.
class State {
 public:
  explicit State(const Program& program);
  // All leaves back to kNotEvaluated, and ready for this program, whichever it was made for. Allocates only when the
  // program is larger than any before.
  void reset(const Program& program);
  void set(std::uint32_t leaf, exchange::SignalValue value) {
    values_[leaf] = value;
    bounds_known_ = false;
  }
  // By leaf index; signals/ writes here. Ask again after each demand(): what is written through an older view may not be
  // noticed.
  std::span<exchange::SignalValue> values() {
    bounds_known_ = false;
    return values_;
  }
  std::span<const exchange::SignalValue> values() const { return values_; }

 private:
  friend class Program;
  std::vector<exchange::SignalValue> values_;
  std::vector<Bounds> bounds_;             // by node
  bool bounds_known_ = false;              // bounds_ are those of values_
  std::vector<std::uint8_t> wanted_;       // by node: which of Want its parent asks for
  std::vector<std::uint8_t> leaf_wanted_;  // by leaf
  std::vector<std::uint32_t> demanded_;    // what demand() returned last
};

// What has to be known beyond the winner and its confidence.
struct DemandOptions {
  bool exhaustive = false;  // every leaf: explain, eval
  std::uint32_t kinds = 0;  // bits by LeafKind, see kind_bit(): a header shows the category
  std::span<const std::uint32_t> leaves = {};  // a plugin or safety action reads them
};
constexpr std::uint32_t kind_bit(exchange::LeafKind kind) {
  return 1U << static_cast<unsigned>(kind);
}

enum class Order : std::uint8_t { kPriority, kConfidence, kTiers };

// One decision as compiled: where its tree starts and where it stands in the order.
struct Entry {
  const config::Decision* decision = nullptr;
  std::uint32_t root = 0;
  std::int64_t major = 0;   // smaller wins before confidence is looked at
  std::uint32_t minor = 0;  // smaller wins after confidence; unique
};

// A node of a flattened tree. Children of a node are neighbours and stand after it. An AND or OR of one condition is that
// condition, so it has no node of its own.
struct Node {
  config::RuleOperator op = config::RuleOperator::kAnd;
  config::OnError on_error = config::OnError::kNoMatch;
  std::uint32_t leaf = 0;  // of kLeaf
  std::uint32_t first_child = 0;
  std::uint32_t child_count = 0;
};

class Program {
 public:
  // Compiles all decisions. `routing` must outlive the program: winners point into it.
  // Errors: kConfig for a NOT without exactly one child or a tree deeper than
  // limits::kRuleDepthMax.
  static Result<Program> compile(const config::Routing& routing);

  // Unique (type, name) pairs of all trees, level by level in order of first appearance.
  std::span<const exchange::Leaf> leaves() const { return leaves_; }
  std::span<const Entry> entries() const { return entries_; }
  std::span<const Node> nodes() const { return nodes_; }
  Order order() const { return order_; }

  // Leaves to evaluate next: those of the cheapest tier among all unevaluated leaves that can still
  // change the winner or its confidence, or that the options ask for. Empty means decide() is
  // final. The view lives until the next call. O(nodes + decisions), no allocation.
  std::span<const std::uint32_t> demand(State& state, const DemandOptions& options) const;

  // The winner among decisions known to match; leaves still unknown count as no match. The
  // runner-up is the next one known to match: with lazy evaluation there may be none even where an
  // exhaustive evaluation finds one. `automatic` is left to the caller. O(nodes + decisions), no
  // allocation.
  exchange::Decision decide(State& state) const;

  // Bounds of every node from the leaf values, index as nodes(). For explain().
  std::span<const Bounds> bounds(State& state) const;

  // True when a decision of rank (major, confidence, minor) goes before the other.
  static bool before(const Entry& a, double confidence_a, const Entry& b, double confidence_b);
  double margin(const Entry& winner, double confidence, const Entry& other,
                double other_confidence) const;

 private:
  friend class Compiler;
  Program() = default;
  Bounds leaf_bounds(const Node& node, const exchange::SignalValue& value) const;
  // Marks in state.leaf_wanted_ the unevaluated leaves that the winner or its confidence can depend
  // on.
  bool want_for_winner(State& state) const;
  void want_children(State& state, std::uint32_t node) const;

  std::vector<exchange::Leaf> leaves_;
  std::vector<std::uint8_t> leaf_tiers_;       // CostTier by leaf
  std::vector<std::uint8_t> leaf_confidence_;  // 1 where the kind has a notion of confidence
  std::vector<Entry> entries_;                 // in order of the configuration
  std::vector<Node> nodes_;                    // roots first, then level by level
  Order order_ = Order::kPriority;
};

}  // namespace signalbox::decision
