// Messages of a request from the body fields of each API. Every function appends to `request.messages` in order.
#pragma once

#include "base/error.h"
#include "exchange/exchange.h"
#include "request/fields.h"

namespace signalbox::request {

// `messages` of chat completions; also what embeddings and tokenize take in their chat form. Refused when empty.
Result<void> read_chat_messages(json::Value messages, exchange::Request& request, TextPool& pool);
// Anthropic: `system` and `messages`. A user message that only carries tool results counts as role "tool".
Result<void> read_anthropic(const Object& body, exchange::Request& request, TextPool& pool);
// Responses API: `instructions` and `input`. Function calls and their outputs count as messages of "assistant" and "tool".
Result<void> read_responses(const Object& body, exchange::Request& request, TextPool& pool);
// One user message from the named fields, each a string or an array of strings, joined by newlines. Arrays of token
// numbers give no text.
Result<void> read_prompt(const Object& body, std::initializer_list<std::string_view> keys,
                         exchange::Request& request, TextPool& pool);

}  // namespace signalbox::request
