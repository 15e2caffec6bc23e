// What an engine says it serves: its own GET /v1/models. vLLM lists LoRA adapters there beside the base model, each with
// the base's name in `parent`; that is how the balancer learns which replica holds which adapter.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace signalbox::discovery {

struct ServedModel {
  std::string name;    // "id"
  std::string parent;  // base model of an adapter; empty for a base model
  // The whole entry as the engine wrote it; empty when it is longer than limits::kModelCardBytesMax.
  std::string card;
  friend bool operator==(const ServedModel&, const ServedModel&) = default;
};

struct ServedModels {
  std::vector<ServedModel> models;  // sorted by name
  bool has(std::string_view name) const;
  friend bool operator==(const ServedModels&, const ServedModels&) = default;
};

// Reads the JSON body of GET /v1/models. Entries past limits::kServedModelsMax are ignored, as are entries without an id.
// Errors: kUpstreamProtocol when it is not such a list.
Result<ServedModels> parse_served_models(std::string_view body);

}  // namespace signalbox::discovery
