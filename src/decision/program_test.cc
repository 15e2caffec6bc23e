#include "decision/program.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <set>

#include "base/limits.h"

namespace signalbox::decision {
namespace {

using config::RuleNode;
using config::RuleOperator;
using exchange::SignalState;
using exchange::SignalValue;

RuleNode leaf(std::string type, std::string name,
              config::OnError on_error = config::OnError::kNoMatch) {
  return {.op = RuleOperator::kLeaf,
          .type = std::move(type),
          .name = std::move(name),
          .on_error = on_error};
}
RuleNode all(std::vector<RuleNode> children) {
  return {.op = RuleOperator::kAnd, .children = std::move(children)};
}
RuleNode any(std::vector<RuleNode> children) {
  return {.op = RuleOperator::kOr, .children = std::move(children)};
}
RuleNode none(RuleNode child) { return {.op = RuleOperator::kNot, .children = {std::move(child)}}; }

config::Decision decision(std::string name, int priority, RuleNode rules, int tier = 0) {
  config::Decision made;
  made.name = std::move(name);
  made.priority = priority;
  made.tier = tier;
  made.rules = std::move(rules);
  return made;
}

// What a leaf would say if it were evaluated.
using World = std::map<std::pair<std::string, std::string>, SignalValue>;

// The whole tree at once, straight from the definition: what the lazy evaluation is judged against.
std::optional<double> reference_match(const RuleNode& node, const World& world) {
  if (node.op == RuleOperator::kLeaf) {
    const SignalValue value = world.at({node.type, node.name});
    if (value.state == SignalState::kMatch) {
      return exchange::has_confidence(exchange::leaf_kind(node.type)) ? double{value.confidence}
                                                                      : 1.0;
    }
    if (value.state == SignalState::kFailed && node.on_error == config::OnError::kMatch) return 1.0;
    return std::nullopt;
  }
  if (node.op == RuleOperator::kNot) {
    return reference_match(node.children.front(), world) ? std::nullopt
                                                         : std::optional<double>(1.0);
  }
  double sum = 0;
  double best = -1;
  for (const RuleNode& child : node.children) {
    const auto match = reference_match(child, world);
    if (!match && node.op == RuleOperator::kAnd) return std::nullopt;
    if (!match) continue;
    sum += *match;
    best = std::max(best, *match);
  }
  if (node.op == RuleOperator::kOr) return best < 0 ? std::nullopt : std::optional<double>(best);
  return node.children.empty() ? 0 : sum / static_cast<double>(node.children.size());
}

struct Won {
  const config::Decision* decision = nullptr;
  double confidence = 0;
};

Won reference_winner(const config::Routing& routing, const World& world) {
  const bool tiers = std::any_of(routing.decisions.begin(), routing.decisions.end(),
                                 [](const config::Decision& one) { return one.tier > 0; });
  const auto first = [&](const Won& a, const Won& b) {
    const auto& x = *a.decision;
    const auto& y = *b.decision;
    if (tiers && x.tier != y.tier) return x.tier < y.tier;
    const bool by_priority = !tiers && routing.strategy == config::Strategy::kPriority;
    if (by_priority && x.priority != y.priority) return x.priority > y.priority;
    if (a.confidence != b.confidence) return a.confidence > b.confidence;
    if (x.priority != y.priority) return x.priority > y.priority;
    return x.name < y.name;
  };
  Won best;
  for (const auto& one : routing.decisions) {
    const auto match = reference_match(one.rules, world);
    if (!match) continue;
    const Won candidate{&one, *match};
    if (best.decision == nullptr || first(candidate, best)) best = candidate;
  }
  return best;
}

struct Ran {
  exchange::Decision decision;
  std::set<std::string> evaluated;  // "type:name"
};

Ran run(const Program& program, const World& world, const DemandOptions& options = {}) {
  State state(program);
  Ran result;
  for (auto wanted = program.demand(state, options); !wanted.empty();
       wanted = program.demand(state, options)) {
    for (const std::uint32_t index : wanted) {
      const auto& one = program.leaves()[index];
      EXPECT_TRUE(result.evaluated.insert(one.type + ":" + one.name).second) << "demanded twice";
      state.set(index, world.at({one.type, one.name}));
    }
  }
  result.decision = program.decide(state);
  return result;
}

constexpr SignalValue kHit{SignalState::kMatch, 1.0F};
constexpr SignalValue kMiss{SignalState::kNoMatch, 0.0F};

Program compiled(const config::Routing& routing) {
  auto program = Program::compile(routing);
  EXPECT_TRUE(program) << (program ? "" : program.error().message);
  return *std::move(program);
}

TEST(Program, AKeywordOfHigherPriorityMakesTheEncoderUnnecessary) {
  config::Routing routing;
  routing.decisions = {decision("math", 10, any({leaf("domain", "math")})),
                       decision("thinking", 20, any({leaf("keyword", "thinking")}))};
  const Ran result =
      run(compiled(routing), {{{"domain", "math"}, kHit}, {{"keyword", "thinking"}, kHit}});
  EXPECT_EQ(result.decision.decision->name, "thinking");
  EXPECT_EQ(result.evaluated, std::set<std::string>{"keyword:thinking"});
}

TEST(Program, ADomainIsLookedAtWhenTheKeywordMisses) {
  config::Routing routing;
  routing.decisions = {decision("math", 10, any({leaf("domain", "math")})),
                       decision("thinking", 20, any({leaf("keyword", "thinking")}))};
  const Ran result = run(compiled(routing), {{{"domain", "math"}, {SignalState::kMatch, 0.75F}},
                                             {{"keyword", "thinking"}, kMiss}});
  EXPECT_EQ(result.decision.decision->name, "math");
  EXPECT_DOUBLE_EQ(result.decision.confidence, 0.75);
}

TEST(Program, AnEnabledCategoryHeaderStillAsksForDomains) {
  config::Routing routing;
  routing.decisions = {decision("math", 10, any({leaf("domain", "math")})),
                       decision("thinking", 20, any({leaf("keyword", "thinking")}))};
  const World world{{{"domain", "math"}, kHit}, {{"keyword", "thinking"}, kHit}};
  const Program program = compiled(routing);
  const Ran result = run(program, world, {.kinds = kind_bit(exchange::LeafKind::kDomain)});
  EXPECT_EQ(result.decision.decision->name, "thinking");
  EXPECT_TRUE(result.evaluated.contains("domain:math"));
}

TEST(Program, UnderStrategyConfidenceACertainKeywordEndsTheSearchOnlyWhenNoTieCanBeatIt) {
  config::Routing routing;
  routing.strategy = config::Strategy::kConfidence;
  routing.decisions = {decision("math", 10, leaf("domain", "math")),
                       decision("word", 20, leaf("keyword", "w"))};
  const World world{{{"domain", "math"}, kHit}, {{"keyword", "w"}, kHit}};
  EXPECT_EQ(run(compiled(routing), world).evaluated, std::set<std::string>{"keyword:w"});
  routing.decisions[0].priority = 30;  // now a domain at confidence 1 would win the tie
  const Ran result = run(compiled(routing), world);
  EXPECT_EQ(result.evaluated.size(), 2U);
  EXPECT_EQ(result.decision.decision->name, "math");
}

TEST(Program, AMatchedAndReportsTheMeanSoItsDearLeafIsStillEvaluated) {
  config::Routing routing;
  routing.decisions = {decision("one", 1, all({leaf("keyword", "w"), leaf("domain", "math")}))};
  const Ran result = run(compiled(routing), {{{"keyword", "w"}, kHit},
                                             {{"domain", "math"}, {SignalState::kMatch, 0.5F}}});
  EXPECT_DOUBLE_EQ(result.decision.confidence, 0.75);
}

TEST(Program, AFailedConditionOfAnAndSparesTheRest) {
  config::Routing routing;
  routing.decisions = {decision("one", 1, all({leaf("keyword", "w"), leaf("domain", "math")}))};
  const Ran result =
      run(compiled(routing), {{{"keyword", "w"}, kMiss}, {{"domain", "math"}, kHit}});
  EXPECT_EQ(result.decision.decision, nullptr);
  EXPECT_TRUE(result.decision.use_default);
  EXPECT_EQ(result.evaluated, std::set<std::string>{"keyword:w"});
}

TEST(Program, TheCatchAllMatchesWithConfidenceZeroAndLosesToLowerTiers) {
  config::Routing routing;
  routing.decisions = {decision("rest", 99, all({}), 2),
                       decision("math", 1, leaf("domain", "math"), 1)};
  const Program program = compiled(routing);
  EXPECT_EQ(run(program, {{{"domain", "math"}, kHit}}).decision.decision->name, "math");
  const Ran rest = run(program, {{{"domain", "math"}, kMiss}});
  EXPECT_EQ(rest.decision.decision->name, "rest");
  EXPECT_EQ(rest.decision.confidence, 0);
}

TEST(Program, AFailedLeafCountsAsItsRuleSays) {
  config::Routing routing;
  routing.decisions = {decision("open", 1, leaf("jailbreak", "j")),
                       decision("closed", 2, leaf("jailbreak", "j", config::OnError::kMatch))};
  const Ran result = run(compiled(routing), {{{"jailbreak", "j"}, {SignalState::kFailed}}});
  EXPECT_EQ(result.decision.decision->name, "closed");
  EXPECT_EQ(result.decision.confidence, 1);
  EXPECT_EQ(result.decision.runner_up, nullptr);
}

TEST(Program, TiesGoToTheNameThatSortsFirstWhateverTheOrderInTheFile) {
  config::Routing routing;
  routing.decisions = {decision("b", 1, leaf("keyword", "w")),
                       decision("a", 1, leaf("keyword", "w"))};
  const Ran result = run(compiled(routing), {{{"keyword", "w"}, kHit}});
  EXPECT_EQ(result.decision.decision->name, "a");
  EXPECT_EQ(result.decision.runner_up->name, "b");
  EXPECT_EQ(result.decision.margin, 0);
}

TEST(Program, TheMarginOfStrategyPriorityIsInPrioritySteps) {
  config::Routing routing;
  routing.decisions = {decision("high", 20, leaf("keyword", "w")),
                       decision("low", 15, leaf("keyword", "w"))};
  EXPECT_EQ(run(compiled(routing), {{{"keyword", "w"}, kHit}}).decision.margin, 5);
}

TEST(Program, ANotNeedsExactlyOneCondition) {
  config::Routing routing;
  routing.decisions = {decision("bad", 1, RuleNode{.op = RuleOperator::kNot})};
  const auto program = Program::compile(routing);
  ASSERT_FALSE(program);
  EXPECT_EQ(program.error().code, Code::kConfig);
  EXPECT_NE(program.error().message.find("bad"), std::string::npos);
}

TEST(Program, ATreeBeyondTheDepthLimitIsRefused) {
  RuleNode deep = leaf("keyword", "w");
  for (std::size_t i = 0; i < limits::kRuleDepthMax; ++i) deep = none(std::move(deep));
  config::Routing routing;
  routing.decisions = {decision("deep", 1, std::move(deep))};
  EXPECT_FALSE(Program::compile(routing));
}

TEST(Program, AStateServesOneRequestAfterAnother) {
  config::Routing routing;
  routing.decisions = {decision("one", 1, leaf("keyword", "w"))};
  const Program program = compiled(routing);
  State state(program);
  state.set(0, kHit);
  EXPECT_NE(program.decide(state).decision, nullptr);
  state.reset(program);
  EXPECT_EQ(program.decide(state).decision, nullptr);
  EXPECT_EQ(program.demand(state, {}).size(), 1U);
}

TEST(Program, AStateMayMoveToALargerProgram) {
  config::Routing small;
  small.decisions = {decision("one", 1, leaf("keyword", "w"))};
  config::Routing large;
  large.decisions = {decision(
      "one", 1, all({leaf("keyword", "a"), any({leaf("keyword", "b"), leaf("domain", "c")})}))};
  const Program first = compiled(small);
  const Program second = compiled(large);
  State state(first);
  state.set(0, kHit);
  state.reset(second);
  EXPECT_EQ(second.decide(state).decision, nullptr);
  EXPECT_EQ(second.demand(state, {.exhaustive = true}).size(), 2U);
}

// ---------------------------------------------------------------------------------------- property

const std::vector<std::pair<std::string, std::string>>& leaf_pool() {
  static const std::vector<std::pair<std::string, std::string>> pool = {
      {"metadata", "m"},  {"authz", "a"},    {"context", "c"}, {"keyword", "k1"},
      {"keyword", "k2"},  {"language", "l"}, {"domain", "d1"}, {"domain", "d2"},
      {"embedding", "e"}, {"jailbreak", "j"}};
  return pool;
}

rc::Gen<RuleNode> any_leaf() {
  return rc::gen::map(rc::gen::pair(rc::gen::elementOf(leaf_pool()), rc::gen::arbitrary<bool>()),
                      [](const std::pair<std::pair<std::string, std::string>, bool>& choice) {
                        return leaf(
                            choice.first.first, choice.first.second,
                            choice.second ? config::OnError::kMatch : config::OnError::kNoMatch);
                      });
}

RuleNode random_tree(int depth) {
  const int shape = depth == 0 ? 0 : *rc::gen::inRange(0, 6);
  if (shape <= 1) return *any_leaf();
  if (shape == 2) return none(random_tree(depth - 1));
  std::vector<RuleNode> children(static_cast<std::size_t>(*rc::gen::inRange(0, 4)));
  for (RuleNode& child : children) child = random_tree(depth - 1);
  return shape <= 4 ? all(std::move(children)) : any(std::move(children));
}

config::Routing random_routing() {
  config::Routing routing;
  routing.strategy = *rc::gen::element(config::Strategy::kPriority, config::Strategy::kConfidence);
  const bool tiers = *rc::gen::arbitrary<bool>();
  const int count = *rc::gen::inRange(1, 7);
  for (int i = 0; i < count; ++i) {
    routing.decisions.push_back(decision("d" + std::to_string((i * 5) % 7), *rc::gen::inRange(0, 4),
                                         random_tree(3), tiers ? *rc::gen::inRange(0, 3) : 0));
  }
  return routing;
}

World random_world() {
  World world;
  for (const auto& name : leaf_pool()) {
    const auto state =
        name.first == "jailbreak"
            ? SignalState::kFailed
            : *rc::gen::element(SignalState::kMatch, SignalState::kNoMatch, SignalState::kFailed);
    // Few steps, so that equal confidences are common and ties are met.
    world[name] = {state, static_cast<float>(*rc::gen::inRange(0, 5)) / 4.0F};
  }
  return world;
}

RC_GTEST_PROP(Program, LazyEvaluationFindsTheWinnerAndConfidenceOfTheExhaustiveOne, ()) {
  const config::Routing routing = random_routing();
  const World world = random_world();
  const Program program = compiled(routing);
  const Won expected = reference_winner(routing, world);
  const Ran lazy = run(program, world);
  const Ran exhaustive = run(program, world, {.exhaustive = true});
  RC_ASSERT(lazy.decision.decision == expected.decision);
  RC_ASSERT(lazy.decision.confidence == expected.confidence);
  RC_ASSERT(exhaustive.decision.decision == expected.decision);
  RC_ASSERT(exhaustive.decision.confidence == expected.confidence);
  RC_ASSERT(exhaustive.evaluated.size() == program.leaves().size());
  RC_ASSERT(std::includes(exhaustive.evaluated.begin(), exhaustive.evaluated.end(),
                          lazy.evaluated.begin(), lazy.evaluated.end()));
}

// Whatever a skipped leaf would have said, nothing changes: the proof behind "not evaluated".
RC_GTEST_PROP(Program, SkippedLeavesCouldNotHaveChangedTheOutcome, ()) {
  const config::Routing routing = random_routing();
  const World world = random_world();
  const Program program = compiled(routing);
  const Ran lazy = run(program, world);
  World other = random_world();
  for (auto& [name, value] : other) {
    if (lazy.evaluated.contains(name.first + ":" + name.second)) value = world.at(name);
  }
  const Won expected = reference_winner(routing, other);
  RC_ASSERT(lazy.decision.decision == expected.decision);
  RC_ASSERT(lazy.decision.confidence == expected.confidence);
}

RC_GTEST_PROP(Program, TheOrderInTheFileDoesNotMatter, ()) {
  config::Routing routing = random_routing();
  for (std::size_t i = 0; i < routing.decisions.size(); ++i)
    routing.decisions[i].name = "n" + std::to_string(i);
  config::Routing reversed = routing;
  std::reverse(reversed.decisions.begin(), reversed.decisions.end());
  const World world = random_world();
  const Ran one = run(compiled(routing), world);
  const Ran two = run(compiled(reversed), world);
  RC_ASSERT((one.decision.decision == nullptr) == (two.decision.decision == nullptr));
  if (one.decision.decision != nullptr)
    RC_ASSERT(one.decision.decision->name == two.decision.decision->name);
}

}  // namespace
}  // namespace signalbox::decision
