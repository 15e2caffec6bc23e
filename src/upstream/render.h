// The body one attempt sends: the client's bytes, the plugins' edits, and what depends on the chosen model (its name, its
// way of saying "reason", the usage chunk we need for accounting). Made anew from the original for every attempt, so an
// edit for one candidate never reaches another. Everything not named here stays byte for byte.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"
#include "config/model.h"
#include "exchange/exchange.h"
#include "json/splice.h"

namespace signalbox::upstream {

// Where the effort of a reasoning family is written.
enum class Dialect : std::uint8_t {
  kEngine,  // vLLM and servers like it: inside chat_template_kwargs
  kHosted,  // OpenAI and APIs like it: top level
};

// From a backend's `provider` and host; "" and unknown providers are engines.
Dialect dialect_of(std::string_view provider, std::string_view host);

struct RenderOptions {
  Dialect dialect = Dialect::kEngine;
  std::string_view api_format = "openai";  // of the model: openai | anthropic
  bool add_include_usage = false;          // ask streams for a last chunk with token counts
  bool prefill_half = false;               // of a disaggregated request: see render_patch
  // JSON of what the prefill half said about the blocks, for the decode half; empty: nothing.
  std::string_view kv_transfer_params = {};
  bool asks_for_transfer = true;  // the prefill half asks the engine to keep the blocks for another
};

// The edits of this attempt on top of the plugins'; the attempt's win where both edit the same member.
//   family  of candidate.model, or nullptr
// - model: candidate.upstream_name, no edit when it is written so already.
// - reasoning, only if candidate.use_reasoning is set (a decision's own wish; a concrete model keeps the client's fields):
//   kChatTemplateKwargs: chat_template_kwargs.<parameter> is set to true or false.
//   kReasoningEffort: on: <parameter> is set to the effort, inside chat_template_kwargs for engines, at top level for
//   hosted APIs, and removed from the other place; off: removed from both.
//   kTopLevelReasoningEffort: the same, always top level.
//   no family: an incoming reasoning_effort is removed.
//   On /v1/responses an effort stands in reasoning.effort; other endpoints have no reasoning fields.
// - the prefill half: one token, in one piece, so max_tokens (and max_completion_tokens, where written) 1, stream false,
//   and without min_tokens, stream_options, n, best_of and use_beam_search, which contradict that; kv_transfer_params
//   says do_remote_decode, unless the engines transfer on their own.
// - the decode half: kv_transfer_params as given.
// - stream_options.include_usage: true for streamed chat completions and completions, when asked for.
// Errors: kInvalidArgument (repeated keys), kUnsupported (a chat completion for a model that only speaks Anthropic).
Result<json::Patch> render_patch(const exchange::Request& request, const json::Patch& plugin_edits,
                                 const exchange::Candidate& candidate,
                                 const config::ReasoningFamily* family,
                                 const RenderOptions& options);

// The patched body, over the client's own bytes. In a form the value of the field `model` is replaced; any other body that
// is not a JSON object is returned as it came.
Result<json::EditedText> render_body(const exchange::ClientRequest& client,
                                     const exchange::Request& request,
                                     const json::Patch& plugin_edits,
                                     const exchange::Candidate& candidate,
                                     const config::ReasoningFamily* family,
                                     const RenderOptions& options);

// render_body() for one attempt of `exchange` at `backend`: family, dialect and API format as configuration and candidate
// say, the rest as `options` do.
Result<json::EditedText> render_attempt(const exchange::Exchange& exchange,
                                        const config::Config& config,
                                        const exchange::Candidate& candidate,
                                        const config::BackendRef& backend, RenderOptions options);

}  // namespace signalbox::upstream
