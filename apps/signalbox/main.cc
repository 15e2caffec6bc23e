// signalbox: one program, a table of subcommands.
#include <fmt/core.h>

#include <array>
#include <cstdio>
#include <vector>

#include "apps/signalbox/commands.h"

namespace {

using signalbox::cli::Arguments;

struct Command {
  std::string_view name;
  std::string_view summary;
  int (*run)(Arguments);
};

constexpr std::array kCommands = {
    Command{"serve", "open the doors a configuration names (default: the embedded demo)",
            signalbox::cli::serve_command},
    Command{"router", "route to engines with the flags of vLLM Production Stack's router",
            signalbox::cli::router_command},
    Command{"sim", "run demo engines that speak the OpenAI API and vLLM's metrics",
            signalbox::cli::sim_command},
    Command{"check", "lint a configuration file: does it load, does it mean what it says",
            signalbox::cli::check_command},
    Command{"config", "migrate, schema, docs: the configuration in other forms",
            signalbox::cli::config_command},
    Command{"emit", "envoy, gateway: what a proxy in front needs, from the configuration",
            signalbox::cli::emit_command},
    Command{"explain", "why would this prompt be routed where", signalbox::cli::explain_command},
    Command{"classify", "run the classifiers on a text", signalbox::cli::classify_command},
    Command{"eval", "measure a classifier on a labelled file", signalbox::cli::eval_command},
    Command{"calibrate", "thresholds of a classifier from your own labelled prompts",
            signalbox::cli::calibrate_command},
};

void print_usage(std::FILE* out) {
  fmt::print(out,
             "signalbox {}: routes LLM requests by meaning and by engine state\n\nusage: signalbox "
             "COMMAND [ARGS]\n\n",
             SIGNALBOX_VERSION);
  for (const auto& command : kCommands)
    fmt::print(out, "  {:<10} {}\n", command.name, command.summary);
  fmt::print(out, "  {:<10} print the version\n\nEvery command answers --help.\n", "version");
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string_view> arguments(argv + 1, argv + argc);
  if (arguments.empty()) {
    print_usage(stderr);
    return 2;
  }
  const std::string_view name = arguments.front();
  if (name == "version" || name == "--version") {
    fmt::print("signalbox {}\n", SIGNALBOX_VERSION);
    return 0;
  }
  if (name == "help" || name == "--help" || name == "-h") {
    print_usage(stdout);
    return 0;
  }
  for (const auto& command : kCommands) {
    if (command.name == name) return command.run(Arguments(arguments).subspan(1));
  }
  fmt::print(stderr, "signalbox: unknown command '{}'\n\n", name);
  print_usage(stderr);
  return 2;
}
