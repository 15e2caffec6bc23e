// Runs test/golden/decisions/*.txt. A file holds cases; a case is a routing program and leaf values, a line "----", and
// what the lazy evaluation must say, word for word. Lines of the first part:
//   # comment                     strategy priority|confidence
//   decision NAME priority N [tier N]: RULE        RULE as in decision/testing.h
//   value TYPE:NAME match [CONFIDENCE] | no | failed
// A line "====" separates cases. On a difference the test prints the block to paste.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <sstream>

#include "base/file.h"
#include "decision/explain.h"
#include "decision/program.h"
#include "decision/testing.h"

namespace signalbox::decision {
namespace {

using exchange::SignalState;

struct Case {
  config::Routing routing;
  std::map<std::string, exchange::SignalValue> values;  // "type:name"
};

void read_decision(const std::string& line, Case& into) {
  const std::size_t colon = line.find(": ");
  std::istringstream head(line.substr(0, colon));
  config::Decision decision;
  std::string word;
  head >> word >> decision.name;
  while (head >> word) head >> (word == "tier" ? decision.tier : decision.priority);
  decision.rules = testing::rule(std::string_view(line).substr(colon + 2));
  into.routing.decisions.push_back(std::move(decision));
}

void read_value(std::string_view line, Case& into) {
  line.remove_prefix(std::string_view("value ").size());
  exchange::SignalValue value{SignalState::kMatch, 1.0F};
  std::string_view name = line;
  if (line.ends_with(" no")) {
    value.state = SignalState::kNoMatch;
    name.remove_suffix(3);
  } else if (line.ends_with(" failed")) {
    value.state = SignalState::kFailed;
    name.remove_suffix(7);
  } else {
    const std::size_t at = line.rfind(" match");
    name = line.substr(0, at);
    if (const std::string rest(line.substr(at + 6)); !rest.empty())
      value.confidence = std::stof(rest);
  }
  into.values[std::string(name)] = value;
}

Case parse(const std::string& text) {
  Case made;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line == "strategy confidence") made.routing.strategy = config::Strategy::kConfidence;
    if (line.starts_with("decision ")) read_decision(line, made);
    if (line.starts_with("value ")) read_value(line, made);
  }
  return made;
}

std::string play(const Case& given) {
  const auto program = Program::compile(given.routing);
  if (!program) return "error " + program.error().message + "\n";
  State state(*program);
  std::string out;
  for (auto wanted = program->demand(state, {}); !wanted.empty();
       wanted = program->demand(state, {})) {
    out += "evaluate";
    for (const std::uint32_t index : wanted) {
      const auto& leaf = program->leaves()[index];
      out += fmt::format(" {}:{}", leaf.type, leaf.name);
      const auto value = given.values.find(leaf.type + ":" + leaf.name);
      state.set(index, value == given.values.end() ? exchange::SignalValue{SignalState::kFailed}
                                                   : value->second);
    }
    out += "\n";
  }
  const Explanation told = explain(*program, state);
  const auto& winner = told.winner;
  if (winner.decision == nullptr) {
    out += "winner none\n";
  } else {
    out += fmt::format("winner {} confidence {:.4g}\n", winner.decision->name, winner.confidence);
  }
  if (winner.runner_up != nullptr)
    out += fmt::format("runner-up {} margin {:.4g}\n", winner.runner_up->name, winner.margin);
  for (const DecisionReason& reason : told.decisions)
    out += fmt::format("{}: {}\n", reason.decision->name, reason.why);
  for (std::size_t i = 0; i < told.skipped.size(); ++i) {
    if (told.skipped[i].empty()) continue;
    out += fmt::format("skipped {}:{}: {}\n", program->leaves()[i].type, program->leaves()[i].name,
                       told.skipped[i]);
  }
  return out;
}

TEST(GoldenDecisions, EveryCaseSaysWhatItsFileSays) {
  int cases = 0;
  const std::string folder = SIGNALBOX_SOURCE_DIR "/test/golden/decisions";
  for (const auto& file : std::filesystem::directory_iterator(folder)) {
    auto text = read_file(file.path().string(), 1 << 20);
    ASSERT_TRUE(text);
    std::string rest = *std::move(text);
    while (!rest.empty()) {
      const std::size_t end = rest.find("====\n");
      const std::string block = rest.substr(0, end);
      rest = end == std::string::npos ? "" : rest.substr(end + 5);
      const std::size_t line = block.find("----\n");
      ASSERT_NE(line, std::string::npos) << file.path() << ": a case without ----";
      EXPECT_EQ(play(parse(block.substr(0, line))), block.substr(line + 5))
          << file.path().filename() << ": " << block.substr(0, block.find('\n'));
      ++cases;
    }
  }
  EXPECT_GE(cases, 10);
}

}  // namespace
}  // namespace signalbox::decision
