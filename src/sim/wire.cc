#include "sim/wire.h"

#include <fmt/format.h>

#include <iterator>

namespace signalbox::sim {

std::unique_ptr<Wire> make_wire(Dialect dialect, const Reply& reply) {
  switch (dialect) {
    case Dialect::kChat:
      return make_chat_wire(reply);
    case Dialect::kCompletions:
      return make_completions_wire(reply);
    case Dialect::kResponses:
      return make_responses_wire(reply);
    case Dialect::kMessages:
      return make_messages_wire(reply);
  }
  return nullptr;
}

void append_usage(std::string& out, const Answer& answer) {
  const std::size_t completion = answer.completion_tokens();
  fmt::format_to(std::back_inserter(out),
                 R"({{"prompt_tokens":{},"total_tokens":{},"completion_tokens":{},)"
                 R"("prompt_tokens_details":{{"cached_tokens":{}}}}})",
                 answer.prompt_tokens, answer.prompt_tokens + completion, completion,
                 answer.cached_tokens);
}

void append_event(std::string& out, std::string_view event, std::string_view data) {
  if (!event.empty()) {
    out += "event: ";
    out += event;
    out += '\n';
  }
  out += "data: ";
  out += data;
  out += "\n\n";
}

}  // namespace signalbox::sim
