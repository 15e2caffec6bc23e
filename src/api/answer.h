// An answer of our own (fast_response): one text, in the shape of each text API, whole or as the server-sent events a
// client of that API expects. Built at once: these texts are short and no engine is waited for.
// Source: OpenAI API reference (chat, completions, responses with their streaming events), Anthropic API reference
// (messages, streaming); the event order is that of the references.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace signalbox::api {

struct Answer {
  std::string id;     // without prefix; becomes chatcmpl-<id>, cmpl-<id>, resp_<id>, msg_<id>
  std::string model;  // as the client is told
  std::string text;
  std::int64_t created = 0;  // Unix time in seconds
  std::int64_t prompt_tokens = 0;
  std::int64_t completion_tokens = 0;
  bool include_usage =
      false;  // chat completions and completions: end the stream with a usage chunk
};

// Bodies of non-streaming answers (application/json).
std::string chat_completion(const Answer& answer);
std::string text_completion(const Answer& answer);
std::string response_object(const Answer& answer);
std::string message_object(const Answer& answer);

// Whole streams (text/event-stream): all events with their blank lines, the end mark of the API included.
std::string chat_completion_stream(const Answer& answer);
std::string text_completion_stream(const Answer& answer);
std::string response_stream(const Answer& answer);
std::string message_stream(const Answer& answer);

// What one delta carries: a word with the white space before it. Joined they are the text, byte for byte.
std::vector<std::string_view> delta_pieces(std::string_view text);

}  // namespace signalbox::api
