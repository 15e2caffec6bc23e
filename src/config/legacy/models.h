// model_config, vllm_endpoints and provider_profiles of the flat generations.
#pragma once

#include "config/tables/reader.h"
#include "config/yaml/tree.h"

namespace signalbox::config {

// Takes the three keys out of `body` and adds providers.models and routing.modelCards to `tree`. A model gets the
// endpoints it prefers; without preferred_endpoints those that name it in `model` or `models`; without such those that
// name no model. No endpoint at all is legal: the gateway in front chooses then.
void convert_models(Node& body, Node& tree, Reader& reader);

}  // namespace signalbox::config
