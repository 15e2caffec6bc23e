// The parts of the linter; each looks at one kind of mistake.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/finding.h"
#include "config/model.h"

namespace signalbox::config::lint {

// Collects findings; one per run.
class Findings {
 public:
  void warn(std::string_view code, int line, std::string path, std::string message,
            std::string remedy);
  void note(std::string_view code, int line, std::string path, std::string message,
            std::string remedy);
  std::vector<Finding> take() { return std::move(findings_); }

 private:
  void add(Severity severity, std::string_view code, int line, std::string path,
           std::string message, std::string remedy);
  std::vector<Finding> findings_;
};

// A routing with the words before its names: "" for the file's own, "recipes.NAME." for a recipe's.
struct Program {
  const Routing& routing;
  std::string prefix;
};
std::string decision_path(const Program& program, const Decision& decision);

// Decisions that never win or never match.
void check_reach(const Program& program, Findings& findings);
// Prompts, models and caches of decisions.
void check_decisions(const Config& config, const Program& program, Findings& findings);
// Keywords, labels, thresholds and signals that nothing uses.
void check_signals(const Config& config, const Program& program, Findings& findings);
// Providers, backends, times, names.
void check_providers(const Config& config, Findings& findings);
void check_settings(const Config& config, Findings& findings);

// Whether every request that matches `a` also matches `b`, as far as the shape of the rules tells; false when it does
// not tell. `steps_left` bounds the work and is counted down.
bool implies(const RuleNode& a, const RuleNode& b, int& steps_left);
bool same_rule(const RuleNode& a, const RuleNode& b);
bool always_matches(const RuleNode& rule);

// A common English word, in lower case: one that turns up in prompts about anything.
bool is_common_word(std::string_view word);

}  // namespace signalbox::config::lint
