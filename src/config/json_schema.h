// The field tables as a JSON schema (draft 2020-12), for editors that complete and check YAML.
#pragma once

#include <string>

namespace signalbox::config {

// Describes the canonical form, also under `config:` as Helm values have it. Every struct is one entry of $defs.
std::string json_schema();

}  // namespace signalbox::config
