#include "config/check.h"

#include <fmt/core.h>

#include <map>
#include <utility>

#include "base/limits.h"
#include "config/lint/lint.h"

namespace signalbox::config {
namespace lint {

void Findings::add(Severity severity, std::string_view code, int line, std::string path,
                   std::string message, std::string remedy) {
  if (findings_.size() >= limits::kConfigFindingsMax) return;
  findings_.push_back({severity,
                       std::string(code),
                       {},
                       line,
                       0,
                       std::move(path),
                       std::move(message),
                       std::move(remedy)});
}

void Findings::warn(std::string_view code, int line, std::string path, std::string message,
                    std::string remedy) {
  add(Severity::kWarning, code, line, std::move(path), std::move(message), std::move(remedy));
}

void Findings::note(std::string_view code, int line, std::string path, std::string message,
                    std::string remedy) {
  add(Severity::kNote, code, line, std::move(path), std::move(message), std::move(remedy));
}

}  // namespace lint

std::vector<Finding> check(const Config& config) {
  lint::Findings findings;
  const auto run = [&](const lint::Program& program) {
    lint::check_reach(program, findings);
    lint::check_decisions(config, program, findings);
    lint::check_signals(config, program, findings);
  };
  run({config.routing, ""});
  for (const auto& recipe : config.recipes)
    run({recipe.routing, fmt::format("recipes.{}.", recipe.name)});
  lint::check_providers(config, findings);
  lint::check_settings(config, findings);
  // Findings of one line keep their order: a multimap adds behind what is equal.
  std::multimap<int, Finding> by_line;
  for (auto& finding : findings.take()) {
    const int line = finding.line;
    by_line.emplace(line, std::move(finding));
  }
  std::vector<Finding> found;
  for (auto& [line, finding] : by_line) found.push_back(std::move(finding));
  return found;
}

}  // namespace signalbox::config
