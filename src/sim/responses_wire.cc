#include <fmt/format.h>

#include <iterator>

#include "json/splice.h"
#include "sim/wire.h"

namespace signalbox::sim {
namespace {

// OpenAI responses, text and function calls only. Source: OpenAI API reference, "Responses", "Streaming events".
class ResponsesWire final : public Wire {
 public:
  explicit ResponsesWire(const Reply& reply) : reply_(reply), answer_(reply.answer) {}

  void append_body(std::string& out) const override {
    append_response(out, answer_.cut ? "incomplete" : "completed",
                    "[" + item("completed", true) + "]", true);
  }

  void append_begin(std::string& out) override {
    std::string response;
    append_response(response, "in_progress", "[]", false);
    event(out, "response.created", R"("response":)" + response);
    event(out, "response.output_item.added",
          R"("output_index":0,"item":)" + item("in_progress", false));
  }

  void append_piece(std::string& out, std::size_t index) override {
    if (!answer_.tool.empty()) {
      event(out, "response.function_call_arguments.delta",
            fmt::format(R"("item_id":"fc_{}","output_index":0,"delta":{})", reply_.id,
                        json::quote(answer_.tool_arguments)));
      return;
    }
    event(out, "response.output_text.delta",
          fmt::format(R"("item_id":"msg_{}","output_index":0,"content_index":0,"delta":{})",
                      reply_.id, json::quote(answer_.text[index])));
  }

  void append_end(std::string& out) override {
    if (answer_.tool.empty()) {
      event(out, "response.output_text.done",
            fmt::format(R"("item_id":"msg_{}","output_index":0,"content_index":0,"text":{})",
                        reply_.id, json::quote(answer_.whole_text())));
    }
    event(out, "response.output_item.done",
          R"("output_index":0,"item":)" + item("completed", true));
    std::string response;
    append_body(response);
    event(out, answer_.cut ? "response.incomplete" : "response.completed",
          R"("response":)" + response);
  }

  std::size_t pieces() const override { return answer_.tool.empty() ? answer_.text.size() : 1; }

 private:
  std::string item(std::string_view status, bool full) const {
    if (!answer_.tool.empty()) {
      return fmt::format(
          R"({{"type":"function_call","id":"fc_{0}","call_id":"call_{0}","name":{1},"arguments":{2},"status":"{3}"}})",
          reply_.id, json::quote(answer_.tool), json::quote(full ? answer_.tool_arguments : ""),
          status);
    }
    const std::string content =
        full ? fmt::format(R"({{"type":"output_text","text":{},"annotations":[]}})",
                           json::quote(answer_.whole_text()))
             : "";
    return fmt::format(
        R"({{"type":"message","id":"msg_{}","role":"assistant","status":"{}","content":[{}]}})",
        reply_.id, status, content);
  }
  void append_response(std::string& out, std::string_view status, std::string_view output,
                       bool with_usage) const {
    fmt::format_to(
        std::back_inserter(out),
        R"({{"id":"resp_{}","object":"response","created_at":{},"status":"{}","model":{},"output":{},"usage":)",
        reply_.id, reply_.created, status, json::quote(reply_.ask.model), output);
    if (!with_usage) {
      out += "null}";
      return;
    }
    const std::size_t completion = answer_.completion_tokens();
    fmt::format_to(
        std::back_inserter(out),
        R"({{"input_tokens":{},"input_tokens_details":{{"cached_tokens":{}}},"output_tokens":{},"total_tokens":{}}}}})",
        answer_.prompt_tokens, answer_.cached_tokens, completion,
        answer_.prompt_tokens + completion);
  }
  void event(std::string& out, std::string_view type, std::string_view members) {
    append_event(
        out, type,
        fmt::format(R"({{"type":"{}","sequence_number":{},{}}})", type, sequence_++, members));
  }

  const Reply& reply_;
  const Answer& answer_;
  int sequence_ = 0;
};

}  // namespace

std::unique_ptr<Wire> make_responses_wire(const Reply& reply) {
  return std::make_unique<ResponsesWire>(reply);
}

}  // namespace signalbox::sim
