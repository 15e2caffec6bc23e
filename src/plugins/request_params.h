// request_params: which parameters of the client's body reach an engine, and how large they may be.
#pragma once

#include <string_view>

#include "base/error.h"
#include "config/model.h"
#include "exchange/exchange.h"

namespace signalbox::plugins {

// blocked_params are removed; strip_unknown removes every top-level field is_known_field does not know, for the APIs that
// take prompts and for embeddings; max_tokens, max_completion_tokens and max_output_tokens above max_tokens_limit, and n
// above max_n, are lowered to the limit (absent ones stay absent). The fields that are the request itself (model,
// messages, prompt, input) are never removed. Errors: kInvalidArgument when an edited key occurs twice.
Result<void> limit_params(const config::RequestParamsPlugin& plugin,
                          const exchange::Request& request, exchange::Edits& edits);

// Top-level request fields of OpenAI's and Anthropic's APIs and of vLLM's extensions of them.
bool is_known_field(std::string_view name);

}  // namespace signalbox::plugins
