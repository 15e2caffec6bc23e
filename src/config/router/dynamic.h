// The router's file of changes (--dynamic-config-yaml, --dynamic-config-json): flags by name with underscores. YAML may
// write static_models as a map of models and static_aliases as a map of aliases; both forms are understood in both kinds of
// file, and lists in place of comma texts.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "config/router/flags.h"

namespace signalbox::config {

struct DynamicFile {
  RouterArguments values;  // of the flags it names
  std::string json;        // all of it, for /health
};

// Errors: kConfig with file, line, key and remedy: unknown keys, values of a wrong kind.
Result<DynamicFile> read_dynamic_file(std::string_view text, const std::string& file_name);

// The command line with the file's flags. A flag that the replaced router re-reads from the file is the file's; of the
// others the command line's own win.
RouterArguments with_dynamic(const RouterArguments& command_line, const RouterArguments& file);

}  // namespace signalbox::config
