#include <fmt/core.h>

#include <cstdio>

#include "apps/signalbox/commands.h"
#include "base/log.h"
#include "config/router/convert.h"
#include "config/router/flags.h"
#include "pipeline/server.h"

namespace signalbox::cli {
namespace {

log::Level log_level(const std::string& word) {
  if (word == "debug" || word == "trace") return log::Level::kDebug;
  if (word == "warning") return log::Level::kWarning;
  if (word == "error" || word == "critical") return log::Level::kError;
  return log::Level::kInfo;
}

Result<std::optional<std::uint16_t>> port_of(const config::RouterArguments& flags,
                                             std::string_view flag) {
  if (!flags.given(flag)) return std::nullopt;
  const auto port = flags.integer(flag);
  if (port < 0 || port > 65535) {
    return fail(Code::kInvalidArgument,
                fmt::format("--{} must be a port from 0 to 65535, not {}", flag, port));
  }
  return static_cast<std::uint16_t>(port);
}

Result<pipeline::ServerOptions> read_options(const config::RouterArguments& flags) {
  log::configure(log_level(flags.text("log-level")),
                 flags.text("log-format") == "json" ? log::Format::kJson : log::Format::kText);
  pipeline::ServerOptions options;
  options.source.name = "router flags";
  options.source.files = config::router_files(flags);
  options.source.load = [flags] { return config::load_router(flags); };
  SBX_TRY(options.admin_port, port_of(flags, "metrics-port"));
  options.ports_file = flags.text("ports-file");
  options.encoder_directory = flags.text("encoder-dir");
  options.models_directory = flags.text("models-dir");
  options.version = SIGNALBOX_VERSION;
  return options;
}

int refuse(const Error& error) {
  fmt::print(stderr, "signalbox router: error: {}\n", error.message);
  return 2;
}

}  // namespace

int router_command(Arguments arguments) {
  const auto flags = config::parse_router_arguments(arguments);
  if (!flags) return refuse(flags.error());
  if (flags->on("help")) {
    fmt::print("{}", config::router_usage());
    return 0;
  }
  if (flags->on("version")) {
    fmt::print("signalbox router {}\n", SIGNALBOX_VERSION);
    return 0;
  }
  const auto options = read_options(*flags);
  if (!options) return refuse(options.error());
  if (const auto served = pipeline::serve(*options); !served) return refuse(served.error());
  return 0;
}

}  // namespace signalbox::cli
