#include <fmt/core.h>

#include <array>
#include <cstdio>

#include "apps/signalbox/commands.h"
#include "apps/signalbox/flags.h"
#include "base/log.h"
#include "base/text.h"
#include "pipeline/server.h"

namespace signalbox::cli {
namespace {

constexpr std::array kFlags = {
    FlagSpec{"config", "FILE",
             "configuration (any published generation); default: the embedded demo"},
    FlagSpec{"port", "N", "HTTP door; overrides the configuration, 0 takes a free port"},
    FlagSpec{"metrics-port", "N", "admin door (metrics, health); 0 takes a free port"},
    FlagSpec{
        "extproc-listen", "PORT",
        "open the door for Envoy's ext_proc filter on PORT or ADDRESS:PORT; 0 takes a free one"},
    FlagSpec{"secure", "BOOL",
             "TLS on that door; without a certificate one is made at start, for this run"},
    FlagSpec{"cert-path", "DIR", "folder with tls.crt and tls.key for that door"},
    FlagSpec{"ports-file", "FILE", "write the bound ports as JSON once listening"},
    FlagSpec{"encoder-dir", "DIR",
             "sentence encoder in hub format; default: SIGNALBOX_ENCODER_DIR or the cache"},
    FlagSpec{"models-dir", "DIR",
             "trained heads; default: SIGNALBOX_MODELS_DIR or the installed ones"},
    FlagSpec{"log-level", "LEVEL", "debug, info, warning or error; default info"},
    FlagSpec{"log-format", "FORMAT", "text or json; default text"},
    FlagSpec{"help", "", "this text"},
};

Result<log::Level> log_level(const std::string& word) {
  if (word == "debug") return log::Level::kDebug;
  if (word == "info") return log::Level::kInfo;
  if (word == "warning") return log::Level::kWarning;
  if (word == "error") return log::Level::kError;
  return fail(Code::kInvalidArgument, "--log-level is one of debug, info, warning, error");
}

// "50051", "127.0.0.1:50051", "[::1]:50051".
Result<void> read_extproc(const Flags& flags, pipeline::ServerOptions& options) {
  options.extproc_certificate_directory = flags.value("cert-path").value_or("");
  if (const auto secure = flags.value("secure")) {
    if (*secure != "true" && *secure != "false") {
      return fail(Code::kInvalidArgument, "--secure is true or false");
    }
    options.extproc_secure = *secure == "true";
  }
  const auto listen = flags.value("extproc-listen");
  if (!listen) return {};
  const auto colon = listen->rfind(':');
  const std::string_view port =
      std::string_view(*listen).substr(colon == std::string::npos ? 0 : colon + 1);
  const auto number = parse_uint(port);
  if (!number || *number > 65535) {
    return fail(Code::kInvalidArgument, "--extproc-listen is PORT or ADDRESS:PORT");
  }
  options.extproc_port = static_cast<std::uint16_t>(*number);
  if (colon == std::string::npos) return {};
  std::string address = listen->substr(0, colon);
  if (address.starts_with('[') && address.ends_with(']')) {
    address = address.substr(1, address.size() - 2);
  }
  if (!address.empty()) options.extproc_address = std::move(address);
  return {};
}

Result<pipeline::ServerOptions> read_options(Arguments arguments) {
  SBX_TRY(const auto flags, Flags::parse(arguments, kFlags, 0));
  SBX_TRY(const auto level, log_level(flags.value("log-level").value_or("info")));
  const auto format = flags.value("log-format").value_or("text");
  if (format != "text" && format != "json") {
    return fail(Code::kInvalidArgument, "--log-format is text or json");
  }
  log::configure(level, format == "json" ? log::Format::kJson : log::Format::kText);
  pipeline::ServerOptions options;
  options.source = pipeline::config_file_source(flags.value("config").value_or(""));
  SBX_TRY(options.http_port, flags.port("port"));
  SBX_TRY(options.admin_port, flags.port("metrics-port"));
  SBX_CHECK_OK(read_extproc(flags, options));
  options.ports_file = flags.value("ports-file").value_or("");
  options.encoder_directory = flags.value("encoder-dir").value_or("");
  options.models_directory = flags.value("models-dir").value_or("");
  options.version = SIGNALBOX_VERSION;
  return options;
}

bool wants_help(Arguments arguments) {
  for (const auto argument : arguments) {
    if (argument == "--help" || argument == "-h") return true;
  }
  return false;
}

}  // namespace

int serve_command(Arguments arguments) {
  if (wants_help(arguments)) {
    fmt::print(
        "{}",
        usage("serve [FLAGS]",
              "Opens the doors that the configuration names and routes requests until SIGTERM.",
              kFlags));
    return 0;
  }
  const auto options = read_options(arguments);
  if (!options) {
    fmt::print(stderr, "signalbox serve: {}\n", options.error().message);
    return 2;
  }
  if (const auto served = pipeline::serve(*options); !served) {
    fmt::print(stderr, "signalbox serve: {}\n", served.error().message);
    return 2;
  }
  return 0;
}

}  // namespace signalbox::cli
