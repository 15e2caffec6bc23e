// What a client asks a simulated engine for, read from the body of one of the generating paths.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "json/document.h"
#include "prompt/prompt_tokenizer.h"

namespace signalbox::sim {

enum class Dialect : std::uint8_t { kChat, kCompletions, kResponses, kMessages };

struct Ask {
  std::string model;
  bool stream = false;
  bool include_usage = false;  // stream_options.include_usage
  std::size_t tokens_max = 0;  // 0: not set
  std::string prompt;  // everything the model would see, in order; what the prefix cache hashes
  std::vector<std::uint32_t>
      ids;                 // of the prompt, by a real tokenizer; `prompt` is their bytes then
  std::string system;      // system or developer text
  std::string user;        // last user text
  bool reasoning = false;  // chat_template_kwargs, reasoning_effort or Anthropic's thinking
  std::string reasoning_effort;
  std::string cache_salt;
  // kv_transfer_params of disaggregated prefill: keep the prompt's blocks for another engine; fetch them from one.
  bool keeps_blocks = false;
  bool fetches_blocks = false;
  std::string tool;  // name of the function the answer calls; empty: a text answer
};

// Errors: kInvalidArgument with the field in `param`.
Result<Ask> read_ask(Dialect dialect, const json::Document& body);

// Puts the ids that the tokenizer makes of the body in the place of the prompt. Errors: as of PromptTokenizer::render().
Result<void> use_tokenizer(Ask& ask, const prompt::PromptTokenizer& tokenizer, json::Value body,
                           prompt::BodyKind kind, std::chrono::seconds now);

// Text of a message's content: a string, or the text parts of an array joined by newlines.
std::string text_of(json::Value content);

}  // namespace signalbox::sim
