#include <fmt/format.h>

#include <iterator>

#include "json/splice.h"
#include "sim/wire.h"

namespace signalbox::sim {
namespace {

// Anthropic messages. One text block, or one tool_use block; reasoning is a thinking block before it.
// Source: Anthropic API reference, "Streaming Messages".
class MessagesWire final : public Wire {
 public:
  explicit MessagesWire(const Reply& reply) : reply_(reply), answer_(reply.answer) {}

  void append_body(std::string& out) const override {
    append_message(out, content(), stop_reason());
  }

  void append_begin(std::string& out) override {
    std::string message = R"({"type":"message_start","message":)";
    append_message(message, "[]", "null", 0);
    message += '}';
    append_event(out, "message_start", message);
  }

  void append_piece(std::string& out, std::size_t index) override {
    if (index < answer_.reasoning.size()) {
      if (index == 0) start_block(out, R"({"type":"thinking","thinking":"","signature":""})");
      delta(out, R"({"type":"thinking_delta","thinking":)" + json::quote(answer_.reasoning[index]) +
                     "}");
      if (index + 1 == answer_.reasoning.size()) stop_block(out);
      return;
    }
    const std::size_t at = index - answer_.reasoning.size();
    if (!answer_.tool.empty()) {
      start_block(out,
                  fmt::format(R"({{"type":"tool_use","id":"toolu_{}","name":{},"input":{{}}}})",
                              reply_.id, json::quote(answer_.tool)));
      delta(out, R"({"type":"input_json_delta","partial_json":)" +
                     json::quote(answer_.tool_arguments) + "}");
      stop_block(out);
      return;
    }
    if (at == 0) start_block(out, R"({"type":"text","text":""})");
    delta(out, R"({"type":"text_delta","text":)" + json::quote(answer_.text[at]) + "}");
    if (at + 1 == answer_.text.size()) stop_block(out);
  }

  void append_end(std::string& out) override {
    append_event(
        out, "message_delta",
        fmt::format(R"({{"type":"message_delta","delta":{{"stop_reason":{},"stop_sequence":null}},)"
                    R"("usage":{{"output_tokens":{}}}}})",
                    stop_reason(), answer_.completion_tokens()));
    append_event(out, "message_stop", R"({"type":"message_stop"})");
  }

  std::size_t pieces() const override {
    return answer_.reasoning.size() + (answer_.tool.empty() ? answer_.text.size() : 1);
  }

 private:
  std::string stop_reason() const {
    if (!answer_.tool.empty()) return "\"tool_use\"";
    return answer_.cut ? "\"max_tokens\"" : "\"end_turn\"";
  }
  std::string content() const {
    std::string out = "[";
    if (!answer_.reasoning.empty()) {
      out += R"({"type":"thinking","thinking":)" + json::quote(answer_.whole_reasoning()) +
             R"(,"signature":""},)";
    }
    if (answer_.tool.empty()) {
      out += R"({"type":"text","text":)" + json::quote(answer_.whole_text()) + "}]";
    } else {
      fmt::format_to(std::back_inserter(out),
                     R"({{"type":"tool_use","id":"toolu_{}","name":{},"input":{}}}])", reply_.id,
                     json::quote(answer_.tool), answer_.tool_arguments);
    }
    return out;
  }
  void append_message(std::string& out, std::string_view content, std::string_view stop) const {
    append_message(out, content, stop, answer_.completion_tokens());
  }
  void append_message(std::string& out, std::string_view content, std::string_view stop,
                      std::size_t output_tokens) const {
    fmt::format_to(
        std::back_inserter(out),
        R"({{"id":"msg_{}","type":"message","role":"assistant","model":{},"content":{},"stop_reason":{},)"
        R"("stop_sequence":null,"usage":{{"input_tokens":{},"cache_read_input_tokens":{},"output_tokens":{}}}}})",
        reply_.id, json::quote(reply_.ask.model), content, stop,
        answer_.prompt_tokens - answer_.cached_tokens, answer_.cached_tokens, output_tokens);
  }
  void start_block(std::string& out, std::string_view block) {
    append_event(out, "content_block_start",
                 fmt::format(R"({{"type":"content_block_start","index":{},"content_block":{}}})",
                             block_, block));
  }
  void delta(std::string& out, std::string_view delta) const {
    append_event(
        out, "content_block_delta",
        fmt::format(R"({{"type":"content_block_delta","index":{},"delta":{}}})", block_, delta));
  }
  void stop_block(std::string& out) {
    append_event(out, "content_block_stop",
                 fmt::format(R"({{"type":"content_block_stop","index":{}}})", block_));
    ++block_;
  }

  const Reply& reply_;
  const Answer& answer_;
  int block_ = 0;
};

}  // namespace

std::unique_ptr<Wire> make_messages_wire(const Reply& reply) {
  return std::make_unique<MessagesWire>(reply);
}

}  // namespace signalbox::sim
