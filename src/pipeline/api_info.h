// GET /info/models, /info/classifier and /api/v1/embeddings/models: what is loaded.
#pragma once

#include <string>

#include "pipeline/api_call.h"

namespace signalbox::pipeline {

// {models [{name, type, loaded, version, labels}], system {kernel}}.
std::string models_info(const ApiCall& call);
// {status, capabilities, categories, pii_types, config}.
std::string classifier_info(const ApiCall& call);
// {models [{model_name, is_loaded, dimension, max_sequence_length}]}.
std::string embedding_models_info(const ApiCall& call);

}  // namespace signalbox::pipeline
