// The only door to the process environment, so that tests and `signalbox check` can say what is read from it.
#pragma once

#include <optional>
#include <string>

namespace signalbox {

// Value of an environment variable, if set.
std::optional<std::string> environment(const std::string& name);

}  // namespace signalbox
