#include <fmt/core.h>

#include <utility>

#include "base/environment.h"
#include "base/file.h"
#include "base/limits.h"
#include "config/router/convert.h"
#include "config/router/dynamic.h"

namespace signalbox::config {
namespace {

Result<std::string> dynamic_file(const RouterArguments& command_line) {
  const std::string yaml = command_line.text("dynamic-config-yaml");
  const std::string json = command_line.text("dynamic-config-json");
  if (!yaml.empty() && !json.empty()) {
    return fail(Code::kInvalidArgument,
                "--dynamic-config-yaml and --dynamic-config-json exclude one another; keep one");
  }
  return yaml.empty() ? json : yaml;
}

}  // namespace

std::vector<std::string> router_files(const RouterArguments& command_line) {
  std::vector<std::string> files;
  for (const std::string_view flag :
       {"config", "dynamic-config-yaml", "dynamic-config-json", "external-providers-config"}) {
    if (auto file = command_line.text(flag); !file.empty()) files.push_back(std::move(file));
  }
  return files;
}

Result<Loaded> load_router(const RouterArguments& command_line, const LoadOptions& options) {
  const Environment& environment =
      options.environment ? options.environment : Environment(signalbox::environment);
  RouterArguments flags = command_line;
  std::string dynamic_json;
  SBX_TRY(const std::string dynamic, dynamic_file(command_line));
  if (!dynamic.empty()) {
    SBX_TRY(const auto text, read_file(dynamic, limits::kConfigBytesMax));
    SBX_TRY(auto file, read_dynamic_file(text, dynamic));
    flags = with_dynamic(command_line, file.values);
    dynamic_json = std::move(file.json);
  }
  Loaded loaded;
  Config config = router_base();
  if (const std::string base = flags.text("config"); !base.empty()) {
    SBX_TRY(loaded, load_file(base, options));
    config = *loaded.config;
  }
  if (const std::string file = flags.text("external-providers-config"); !file.empty()) {
    SBX_TRY(const auto text, read_file(file, limits::kConfigBytesMax));
    SBX_CHECK_OK(add_external_providers(text, file, environment, config));
  }
  SBX_CHECK_OK(apply_router_flags(flags, environment, config, loaded.findings));
  config.own.dynamic_config = std::move(dynamic_json);
  loaded.config = std::make_shared<const Config>(std::move(config));
  return loaded;
}

}  // namespace signalbox::config
