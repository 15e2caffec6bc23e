#include "config/check.h"

#include <fmt/core.h>

#include <algorithm>

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
  auto found = findings.take();
  std::ranges::stable_sort(found, {}, &Finding::line);
  return found;
}

}  // namespace signalbox::config
