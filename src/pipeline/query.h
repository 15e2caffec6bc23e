// Parameters of a query string, as far as our own endpoints read them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace signalbox::pipeline {

// The value of a parameter, percent-decoded; the first of several. O(query).
std::optional<std::string> query_value(std::string_view query, std::string_view name);
// The query without a parameter of that name.
std::string query_without(std::string_view query, std::string_view name);

}  // namespace signalbox::pipeline
