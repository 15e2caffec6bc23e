// The operator's API: how a request would be routed, what the classifiers say, what is loaded. Nothing here asks an engine.
#pragma once

#include <string>
#include <string_view>

#include "net/task.h"
#include "pipeline/api_call.h"

namespace signalbox::pipeline {

// True for /api/v1/... and /info/....
bool is_api_path(std::string_view path);
// True for OpenAI's embeddings request of the built-in model, unless the configuration serves a model of that name.
bool asks_built_in_embedding(const exchange::Request& request, const config::Config& config);

// JSON body of the answer. Errors: kNotFound, kMethodNotAllowed, those of the handlers.
net::Task<Result<std::string>> answer_api(ApiCall call);

}  // namespace signalbox::pipeline
