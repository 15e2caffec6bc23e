// The field tables as a page: docs/configuration.md is the output of `signalbox config docs`.
#pragma once

#include <string>

namespace signalbox::config {

// Markdown. One table for each struct that has an effect today, in the order of the document; at the end the keys of
// later releases, struct by struct.
std::string reference_page();

}  // namespace signalbox::config
