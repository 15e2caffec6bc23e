// How an answer looks on the wire in each of the four APIs: one JSON object, or server-sent events. Field names and event
// order as vLLM's API server prints them (OpenAI chat, completions and responses; Anthropic messages).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "sim/answer.h"
#include "sim/ask.h"

namespace signalbox::sim {

struct Reply {
  std::string id;            // without the API's prefix
  std::int64_t created = 0;  // Unix seconds
  const Ask& ask;
  const Answer& answer;
};

// "chat/completions" and so on have one each; they hold no state but that of one reply.
class Wire {
 public:
  virtual ~Wire() = default;
  // The whole answer as one JSON object.
  virtual void append_body(std::string& out) const = 0;
  // Events before the first token, for token `index` of pieces(), and after the last.
  virtual void append_begin(std::string& out) = 0;
  virtual void append_piece(std::string& out, std::size_t index) = 0;
  virtual void append_end(std::string& out) = 0;
  // Events between begin and end: one per token of reasoning and text, or those of a tool call.
  virtual std::size_t pieces() const = 0;
};
// The reply must outlive what is returned.
std::unique_ptr<Wire> make_wire(Dialect dialect, const Reply& reply);

std::unique_ptr<Wire> make_chat_wire(const Reply& reply);
std::unique_ptr<Wire> make_completions_wire(const Reply& reply);
std::unique_ptr<Wire> make_responses_wire(const Reply& reply);
std::unique_ptr<Wire> make_messages_wire(const Reply& reply);

// OpenAI's usage object, with prompt_tokens_details.
void append_usage(std::string& out, const Answer& answer);
// "event: ..." (if any) and "data: ...\n\n".
void append_event(std::string& out, std::string_view event, std::string_view data);
// A data event that breaks off inside its JSON, for clients to choke on.
inline constexpr std::string_view kBrokenEvent =
    "data: {\"id\":\"broken\",\"choices\":[{\"delta\":\n\n";

}  // namespace signalbox::sim
