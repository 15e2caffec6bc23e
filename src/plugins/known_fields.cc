// Sources: OpenAI API reference (chat, completions, embeddings, responses), Anthropic API reference (messages), vLLM
// documentation "OpenAI-compatible server", sections on extra parameters. Sorted, for binary search.
#include <algorithm>
#include <array>

#include "plugins/request_params.h"

namespace signalbox::plugins {
namespace {

constexpr auto kKnownFields = std::to_array<std::string_view>({
    "add_generation_prompt", "add_special_tokens", "allowed_token_ids", "audio", "background",
    "bad_words", "best_of", "cache_salt", "chat_template", "chat_template_kwargs", "container",
    "context_management", "continue_final_message", "conversation", "dimensions", "documents",
    "echo", "encoding_format", "frequency_penalty", "function_call", "functions",
    "guided_choice", "guided_decoding_backend", "guided_grammar", "guided_json",
    "guided_regex", "guided_whitespace_pattern", "ignore_eos", "include", "include_reasoning",
    "include_stop_str_in_output", "input", "instructions", "kv_transfer_params",
    "length_penalty", "logit_bias", "logits_processors", "logprobs", "max_completion_tokens",
    "max_output_tokens", "max_tokens", "max_tool_calls", "mcp_servers", "messages", "metadata",
    "min_p", "min_tokens", "mm_processor_kwargs", "modalities", "model", "n", "normalize",
    "output_config", "parallel_tool_calls", "prediction", "presence_penalty",
    "previous_response_id", "priority", "prompt", "prompt_cache_key", "prompt_cache_retention",
    "prompt_embeds", "prompt_logprobs", "reasoning", "reasoning_effort", "repetition_penalty",
    "request_id", "response_format", "return_token_ids", "return_tokens_as_token_ids",
    "safety_identifier", "seed", "service_tier", "skip_special_tokens",
    "spaces_between_special_tokens", "stop", "stop_sequences", "stop_token_ids", "store",
    "stream", "stream_options", "structured_outputs", "suffix", "system", "temperature",
    "text", "thinking", "tool_choice", "tools", "top_k", "top_logprobs", "top_p",
    "truncate_prompt_tokens", "truncation", "use_beam_search", "user", "verbosity",
    "vllm_xargs", "web_search_options",
});
static_assert(std::ranges::is_sorted(kKnownFields));

}  // namespace

bool is_known_field(std::string_view name) { return std::ranges::binary_search(kKnownFields, name); }

}  // namespace signalbox::plugins
