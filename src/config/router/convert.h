// From the router's flags to the configuration that `signalbox serve` works with: one process shape, two ways to say it.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "config/load.h"
#include "config/model.h"
#include "config/router/flags.h"

namespace signalbox::config {

// Lays the flags on top of `config`; what a flag does not say stays as it is there. Without a file of its own `config` is
// router_base(). `environment` gives VLLM_API_KEY and the keys of providers. Warnings name flags that have no effect here.
// Errors: kInvalidArgument: flags that are missing or contradict one another, with a remedy.
Result<void> apply_router_flags(const RouterArguments& flags, const Environment& environment,
                                Config& config, std::vector<Finding>& warnings);

// What a router is before any flag: no classifiers, no admin door, the routing line on.
Config router_base();

// Models of hosted providers, of the file of --external-providers-config. Errors: kConfig as of a configuration file.
Result<void> add_external_providers(std::string_view text, const std::string& file_name,
                                    const Environment& environment, Config& config);

// Everything together: --config, the file of changes, the providers' file, the flags.
// Errors: kInvalidArgument, kConfig, kIo.
Result<Loaded> load_router(const RouterArguments& command_line, const LoadOptions& options = {});
// The files that it reads.
std::vector<std::string> router_files(const RouterArguments& command_line);

}  // namespace signalbox::config
