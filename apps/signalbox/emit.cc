// signalbox emit envoy|gateway --config FILE: the objects a proxy needs, from the one configuration, on standard output.
#include <fmt/core.h>

#include <array>
#include <cstdio>

#include "apps/signalbox/commands.h"
#include "apps/signalbox/flags.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/text.h"
#include "config/embedded_default.h"
#include "config/load.h"
#include "emit/envoy.h"
#include "emit/gateway.h"
#include "json/document.h"

namespace signalbox::cli {
namespace {

constexpr int kFailed = 2;

constexpr std::array kFlags = {
    FlagSpec{"config", "FILE", "configuration; default: the embedded demo"},
    FlagSpec{"processor", "HOST:PORT", "where Envoy finds Signalbox's ExtProc door"},
    FlagSpec{"listen", "PORT", "envoy: port for clients; default 8801"},
    FlagSpec{"admin", "PORT", "envoy: Envoy's own admin port, on loopback; default 9901"},
    FlagSpec{"ports-file", "FILE",
             "envoy: ports of a running demo (serve --ports-file): its door and its engines"},
    FlagSpec{"name", "NAME", "gateway: name of the objects; default signalbox"},
    FlagSpec{"namespace", "NAME", "gateway: their namespace; default default"},
    FlagSpec{"routes", "KIND", "gateway: ai (AIGatewayRoute, default) or http (HTTPRoute)"},
    FlagSpec{"placement", "KIND",
             "gateway: extension (EnvoyExtensionPolicy, default) or patch (EnvoyPatchPolicy)"},
    FlagSpec{"help", "", "this text"}};

struct Processor {
  std::string host;
  std::uint16_t port = 0;
};

Result<Processor> read_processor(const std::string& text) {
  const auto colon = text.rfind(':');
  const auto port = colon == std::string::npos
                        ? std::optional<std::uint64_t>{}
                        : parse_uint(std::string_view(text).substr(colon + 1));
  if (!port || *port == 0 || *port > 65535) {
    return fail(Code::kInvalidArgument, "--processor is HOST:PORT");
  }
  return Processor{text.substr(0, colon), static_cast<std::uint16_t>(*port)};
}

// What a running demo tells: {"extproc":N,"engines":[N,...]}.
struct Demo {
  std::uint16_t extproc = 0;
  std::vector<config::BackendRef> engines;
};

Result<Demo> read_demo(const std::string& path) {
  SBX_TRY(const std::string text, read_file(path, limits::kConfigBytesMax));
  SBX_TRY(const auto document, json::Document::parse(text));
  Demo demo;
  SBX_TRY(const auto door, document.root().find("extproc"));
  if (door) demo.extproc = static_cast<std::uint16_t>(door->integer().value_or(0));
  SBX_TRY(const auto engines, document.root().find("engines"));
  if (!engines) return demo;
  for (const auto engine : engines->elements()) {
    config::BackendRef backend;
    backend.host = "127.0.0.1";
    backend.port = static_cast<std::uint16_t>(engine.integer().value_or(0));
    demo.engines.push_back(std::move(backend));
  }
  return demo;
}

Result<config::Loaded> load(const Flags& flags) {
  const auto file = flags.value("config");
  return file ? config::load_file(*file)
              : config::load_text(config::embedded_default_yaml(), "embedded default");
}

Result<std::string> emit_envoy(const Flags& flags, const config::Config& config) {
  Demo demo;
  if (const auto file = flags.value("ports-file")) {
    SBX_TRY(demo, read_demo(*file));
  }
  SBX_TRY(const auto routed, emit::routed(config, demo.engines));
  emit::EnvoyOptions options;
  options.model_header = config.own.extproc.model_header;
  options.request_body_mode = config.own.extproc.request_body_mode;
  options.allow_mode_override = config.own.extproc.allow_mode_override;
  options.body_bytes_max = config.own.limits.body_bytes_max;
  options.processor_port = demo.extproc != 0 ? demo.extproc : config.own.extproc.port;
  if (const auto processor = flags.value("processor")) {
    SBX_TRY(const auto where, read_processor(*processor));
    options.processor_host = where.host;
    options.processor_port = where.port;
  }
  SBX_TRY(const auto listen, flags.port("listen"));
  options.listen_port = listen.value_or(options.listen_port);
  SBX_TRY(const auto admin, flags.port("admin"));
  options.admin_port = admin.value_or(options.admin_port);
  return emit::envoy_config(routed, options);
}

Result<std::string> emit_gateway(const Flags& flags, const config::Config& config) {
  SBX_TRY(const auto routed, emit::routed(config, {}));
  emit::GatewayOptions options;
  options.model_header = config.own.extproc.model_header;
  options.request_body_mode = config.own.extproc.request_body_mode;
  options.allow_mode_override = config.own.extproc.allow_mode_override;
  options.body_bytes_max = config.own.limits.body_bytes_max;
  options.processor_port = config.own.extproc.port;
  options.name = flags.value("name").value_or(options.name);
  options.name_space = flags.value("namespace").value_or(options.name_space);
  if (const auto processor = flags.value("processor")) {
    SBX_TRY(const auto where, read_processor(*processor));
    options.processor_host = where.host;
    options.processor_port = where.port;
  }
  const auto routes = flags.value("routes").value_or("ai");
  const auto placement = flags.value("placement").value_or("extension");
  if (routes != "ai" && routes != "http") {
    return fail(Code::kInvalidArgument, "--routes is ai or http");
  }
  if (placement != "extension" && placement != "patch") {
    return fail(Code::kInvalidArgument, "--placement is extension or patch");
  }
  options.ai_gateway = routes == "ai";
  options.patch = placement == "patch";
  return emit::gateway_objects(routed, options);
}

std::string help() {
  return usage("emit envoy|gateway [FLAGS]",
               "envoy    a static configuration of Envoy for one machine\n"
               "gateway  objects of Envoy Gateway and Envoy AI Gateway for Kubernetes",
               kFlags);
}

Result<std::string> emit_kind(const Flags& flags, std::string_view kind) {
  SBX_TRY(const auto loaded, load(flags));
  return kind == "envoy" ? emit_envoy(flags, *loaded.config) : emit_gateway(flags, *loaded.config);
}

}  // namespace

int emit_command(Arguments arguments) {
  const auto flags = Flags::parse(arguments, kFlags, 1);
  if (flags && flags->has("help")) {
    fmt::print("{}", help());
    return 0;
  }
  const bool known = flags && flags->positional().size() == 1 &&
                     (flags->positional()[0] == "envoy" || flags->positional()[0] == "gateway");
  if (!known) {
    fmt::print(stderr, "signalbox emit: {}\n\n{}",
               flags ? "say envoy or gateway" : flags.error().message, help());
    return kFailed;
  }
  const auto text = emit_kind(*flags, flags->positional()[0]);
  if (!text) {
    fmt::print(stderr, "signalbox emit: {}\n", text.error().message);
    return kFailed;
  }
  fmt::print("{}", *text);
  return 0;
}

}  // namespace signalbox::cli
