// signalbox config migrate FILE | schema | docs: the configuration in other forms, on standard output.
#include <fmt/core.h>

#include <array>
#include <cstdio>

#include "apps/signalbox/commands.h"
#include "apps/signalbox/flags.h"
#include "base/file.h"
#include "base/limits.h"
#include "config/json_schema.h"
#include "config/migrate.h"
#include "config/reference.h"

namespace signalbox::cli {
namespace {

constexpr int kDone = 0;
constexpr int kFailed = 2;

constexpr std::array kFlags = {FlagSpec{"help", "", "print this"}};

std::string help() {
  return usage("signalbox config migrate FILE | schema | docs",
               "migrate  prints a configuration of any generation in the canonical form\n"
               "schema   prints the JSON schema of the configuration\n"
               "docs     prints the reference page of all options",
               kFlags);
}

int wrong_usage(std::string_view message) {
  fmt::print(stderr, "signalbox config: {}\n\n{}", message, help());
  return kFailed;
}

int migrate(const std::string& file) {
  const auto text = read_file(file, limits::kConfigBytesMax);
  if (!text) {
    fmt::print(stderr, "signalbox config migrate: {}\n", text.error().message);
    return kFailed;
  }
  const auto migrated = config::migrate(*text, file);
  // Findings go to standard error: standard output is the new file.
  for (const auto& finding : migrated.findings) {
    fmt::print(stderr, "{}: {}\n", config::severity_word(finding.severity),
               config::to_text(finding));
  }
  if (migrated.yaml.empty()) return kFailed;
  fmt::print("{}", migrated.yaml);
  return kDone;
}

}  // namespace

int config_command(Arguments arguments) {
  const auto flags = Flags::parse(arguments, kFlags, 2);
  if (!flags) return wrong_usage(flags.error().message);
  if (flags->has("help")) {
    fmt::print("{}", help());
    return kDone;
  }
  const auto& words = flags->positional();
  if (words.empty()) return wrong_usage("which one: migrate, schema or docs?");
  if (words[0] == "migrate")
    return words.size() == 2 ? migrate(words[1]) : wrong_usage("migrate needs a file");
  if (words.size() > 1) return wrong_usage(fmt::format("{} takes no file", words[0]));
  if (words[0] == "schema")
    fmt::print("{}", config::json_schema());
  else if (words[0] == "docs")
    fmt::print("{}", config::reference_page());
  else
    return wrong_usage(fmt::format("unknown: {}", words[0]));
  return kDone;
}

}  // namespace signalbox::cli
