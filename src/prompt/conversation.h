// The messages and tools of a request as a chat template is given them: what vLLM 0.32 makes of a body before it renders
// (vllm/renderers/chat_utils.py and the request types of its API server). What this does not follow is kUnsupported, so
// that such a request is left to the engine.
#pragma once

#include <cstdint>

#include "chat_template/template.h"
#include "json/document.h"

namespace signalbox::prompt {

// Parts of a request that engines of other versions may render in another way; each is agreed on for itself.
enum Feature : std::uint32_t {
  kText = 1,       // a text prompt, with the tokens around it
  kChat = 2,       // messages of plain text
  kTools = 4,      // functions that are offered
  kToolCalls = 8,  // calls and results among the messages
  kParts = 16      // content in parts
};
using Features = std::uint32_t;  // bits of Feature

struct Conversation {
  chat_template::Value messages;
  chat_template::Value tools;  // none where the request has none
  Features features = kChat;
};

// From a body with `messages` and perhaps `tools`. `knows` is the template that will render them. Errors: kUnsupported,
// kInvalidArgument (not a chat request).
Result<Conversation> read_conversation(json::Value body, const chat_template::Template& knows);

}  // namespace signalbox::prompt
