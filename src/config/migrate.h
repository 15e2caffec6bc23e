// Any generation, printed in the canonical form of today.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/finding.h"
#include "config/load.h"

namespace signalbox::config {

struct Migrated {
  std::string yaml;  // canonical v0.3 with our `signalbox` block; empty when the file does not load
  std::vector<Finding> findings;  // as load_report gives them
};

// Keys stand in the order of the reference page under the names they have there; ${VAR} stays as written; keys of later
// releases are carried over. Loading the result gives an equal Config, but for secrets that the file wrote out: those
// become ***, and a comment says so. Comments are not kept.
Migrated migrate(std::string_view text, const std::string& file_name,
                 const LoadOptions& options = {});

}  // namespace signalbox::config
