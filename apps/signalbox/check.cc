// signalbox check FILE [--json]: does it load, and does it mean what its author meant?
#include "config/check.h"

#include <fmt/core.h>

#include <array>
#include <cstdio>

#include "apps/signalbox/commands.h"
#include "apps/signalbox/flags.h"
#include "base/file.h"
#include "base/limits.h"
#include "config/load.h"
#include "json/splice.h"

namespace signalbox::cli {
namespace {

constexpr int kClean = 0;
constexpr int kFindings = 1;
constexpr int kDoesNotLoad = 2;

constexpr std::array kFlags = {
    FlagSpec{"json", "", "print one JSON object instead of text"},
    FlagSpec{"help", "", "print this"},
};

std::string help() {
  return usage("signalbox check FILE [--json]",
               "Loads a configuration of any generation and looks for what it will not do.\n"
               "Exit status: 0 clean, 1 loads with findings, 2 does not load.",
               kFlags);
}

int status_of(const config::LoadReport& report) {
  if (report.config == nullptr) return kDoesNotLoad;
  for (const auto& finding : report.findings) {
    if (finding.severity != config::Severity::kNote) return kFindings;
  }
  return kClean;
}

void print_text(const std::string& file, const config::LoadReport& report, int status) {
  for (const auto& finding : report.findings) {
    const auto severity = config::severity_word(finding.severity);
    const bool named = finding.code != severity;
    fmt::print("{} [{}{}{}]\n", config::to_text(finding), severity, named ? " " : "",
               named ? finding.code : "");
  }
  if (status == kDoesNotLoad) {
    fmt::print("{}: does not load\n", file);
    return;
  }
  fmt::print("{}: {}; {} decisions, {} models: {}\n", file,
             config::generation_words(report.config->generation),
             report.config->routing.decisions.size(), report.config->providers.models.size(),
             status == kClean ? "clean" : "loads with findings");
}

void print_json(const std::string& file, const config::LoadReport& report, int status) {
  fmt::print(
      R"({{"file":{},"loads":{},"generation":{},"status":{},"findings":{}}})"
      "\n",
      json::quote(file), report.config != nullptr,
      report.config ? json::quote(config::generation_words(report.config->generation)) : "null",
      status, config::to_json(report.findings));
}

}  // namespace

int check_command(Arguments arguments) {
  const auto flags = Flags::parse(arguments, kFlags, 1);
  if (!flags) {
    fmt::print(stderr, "signalbox check: {}\n\n{}", flags.error().message, help());
    return kDoesNotLoad;
  }
  if (flags->has("help")) {
    fmt::print("{}", help());
    return kClean;
  }
  if (flags->positional().empty()) {
    fmt::print(stderr, "signalbox check: which file?\n\n{}", help());
    return kDoesNotLoad;
  }
  const std::string& file = flags->positional().front();
  const auto text = read_file(file, limits::kConfigBytesMax);
  if (!text) {
    fmt::print(stderr, "signalbox check: {}\n", text.error().message);
    return kDoesNotLoad;
  }
  auto report = config::load_report(*text, file);
  if (report.config != nullptr) {
    for (auto& finding : config::check(*report.config)) {
      finding.file = file;
      report.findings.push_back(std::move(finding));
    }
  }
  const int status = status_of(report);
  if (flags->has("json"))
    print_json(file, report, status);
  else
    print_text(file, report, status);
  return status;
}

}  // namespace signalbox::cli
