// Program::compile: trees to level order, leaves to indices, decisions to ranks.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <utility>

#include "base/limits.h"
#include "decision/program.h"

namespace signalbox::decision {

class Compiler {
 public:
  explicit Compiler(const config::Routing& routing) : routing_(routing) {}

  Result<Program> run() {
    for (const config::Decision& decision : routing_.decisions) {
      program_.entries_.push_back({.decision = &decision, .root = add(unwrapped(decision.rules))});
    }
    SBX_CHECK_OK(expand());
    rank();
    return std::move(program_);
  }

 private:
  struct Pending {
    const config::RuleNode* rule;
    const config::Decision* decision;
    std::size_t depth;
  };

  // An AND or OR of one condition says what the condition says.
  static const config::RuleNode& unwrapped(const config::RuleNode& rule) {
    const config::RuleNode* at = &rule;
    while ((at->op == config::RuleOperator::kAnd || at->op == config::RuleOperator::kOr) &&
           at->children.size() == 1) {
      at = &at->children.front();
    }
    return *at;
  }

  std::uint32_t add(const config::RuleNode& rule) {
    Node node{.op = rule.op, .on_error = rule.on_error};
    if (rule.op == config::RuleOperator::kLeaf) node.leaf = leaf_index(rule);
    program_.nodes_.push_back(node);
    return static_cast<std::uint32_t>(program_.nodes_.size() - 1);
  }

  std::uint32_t leaf_index(const config::RuleNode& rule) {
    const auto next = static_cast<std::uint32_t>(program_.leaves_.size());
    const auto [at, added] = indices_.try_emplace({rule.type, rule.name}, next);
    if (!added) return at->second;
    const exchange::LeafKind kind = exchange::leaf_kind(rule.type);
    program_.leaves_.push_back({.kind = kind, .type = rule.type, .name = rule.name});
    program_.leaf_tiers_.push_back(static_cast<std::uint8_t>(exchange::cost_tier(kind)));
    program_.leaf_confidence_.push_back(exchange::has_confidence(kind) ? 1 : 0);
    return next;
  }

  // Level by level, so that the children of a node are neighbours and stand after it: bounds are
  // one backward pass, wishes one forward pass.
  Result<void> expand() {
    std::vector<Pending> pending;
    for (const config::Decision& decision : routing_.decisions)
      pending.push_back({&unwrapped(decision.rules), &decision, 1});
    for (std::size_t i = 0; i < pending.size(); ++i) {
      const Pending at = pending[i];
      if (at.depth > limits::kRuleDepthMax) {
        return fail(Code::kConfig,
                    fmt::format("decision '{}': rules are nested deeper than {} levels",
                                at.decision->name, limits::kRuleDepthMax));
      }
      if (at.rule->op == config::RuleOperator::kLeaf) continue;
      if (at.rule->op == config::RuleOperator::kNot && at.rule->children.size() != 1) {
        return fail(Code::kConfig,
                    fmt::format("decision '{}': NOT takes exactly one condition, here are {}",
                                at.decision->name, at.rule->children.size()));
      }
      program_.nodes_[i].first_child = static_cast<std::uint32_t>(program_.nodes_.size());
      program_.nodes_[i].child_count = static_cast<std::uint32_t>(at.rule->children.size());
      for (const config::RuleNode& child : at.rule->children) {
        add(unwrapped(child));
        pending.push_back({&unwrapped(child), at.decision, at.depth + 1});
      }
    }
    return {};
  }

  void rank() {
    auto& entries = program_.entries_;
    const bool tiers = std::any_of(entries.begin(), entries.end(),
                                   [](const Entry& entry) { return entry.decision->tier > 0; });
    if (tiers) {
      program_.order_ = Order::kTiers;
    } else if (routing_.strategy == config::Strategy::kConfidence) {
      program_.order_ = Order::kConfidence;
    }
    std::vector<std::uint32_t> by_minor(entries.size());
    std::iota(by_minor.begin(), by_minor.end(), 0U);
    // Stable, so that decisions of one name (the loader refuses them) still have an order.
    std::stable_sort(by_minor.begin(), by_minor.end(),
                     [&entries](std::uint32_t a, std::uint32_t b) {
                       const config::Decision& x = *entries[a].decision;
                       const config::Decision& y = *entries[b].decision;
                       return x.priority != y.priority ? x.priority > y.priority : x.name < y.name;
                     });
    for (std::uint32_t place = 0; place < by_minor.size(); ++place)
      entries[by_minor[place]].minor = place;
    for (Entry& entry : entries) {
      if (program_.order_ == Order::kTiers) entry.major = entry.decision->tier;
      if (program_.order_ == Order::kPriority)
        entry.major = -static_cast<std::int64_t>(entry.decision->priority);
    }
  }

  const config::Routing& routing_;
  Program program_;
  std::map<std::pair<std::string, std::string>, std::uint32_t> indices_;
};

Result<Program> Program::compile(const config::Routing& routing) { return Compiler(routing).run(); }

}  // namespace signalbox::decision
