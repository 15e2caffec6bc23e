// Checks across the file that no single row can make: references between signals, decisions, models and recipes.
#pragma once

#include <string>
#include <vector>

#include "config/finding.h"
#include "config/model.h"
#include "config/yaml/tree.h"

namespace signalbox::config {

// Findings of severity kError only. `tree` is the canonical tree the Config was read from; it gives the lines.
std::vector<Finding> validate(const Config& config, const Node& tree, const std::string& file);

}  // namespace signalbox::config
