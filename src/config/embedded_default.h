// The configuration used when none is given: examples/mom.yaml, compiled into the program.
#pragma once

#include <string_view>

namespace signalbox::config {

// YAML text; lives as long as the program.
std::string_view embedded_default_yaml();

}  // namespace signalbox::config
