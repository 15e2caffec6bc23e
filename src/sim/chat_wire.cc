#include <fmt/format.h>

#include <iterator>

#include "json/splice.h"
#include "sim/wire.h"

namespace signalbox::sim {
namespace {

constexpr std::size_t kToolEvents =
    3;  // name, then the arguments in two parts, as a real engine splits them

std::string_view finish_reason(const Answer& answer) {
  if (!answer.tool.empty()) return "tool_calls";
  return answer.cut ? "length" : "stop";
}

// vLLM's field for what the engine of the other half needs to know.
void append_kv_transfer_params(std::string& out, const Answer& answer) {
  if (answer.kv_transfer_params.empty()) return;
  out += R"(,"kv_transfer_params":)";
  out += answer.kv_transfer_params;
}

class ChatWire final : public Wire {
 public:
  explicit ChatWire(const Reply& reply) : reply_(reply), answer_(reply.answer) {}

  void append_body(std::string& out) const override {
    append_head(out, "chat.completion");
    out += R"("choices":[{"index":0,"message":{"role":"assistant")";
    if (!answer_.reasoning.empty()) {
      out += R"(,"reasoning_content":)";
      json::append_quoted(out, answer_.whole_reasoning());
    }
    out += R"(,"content":)";
    if (answer_.tool.empty()) {
      json::append_quoted(out, answer_.whole_text());
      out += R"(,"tool_calls":[])";
    } else {
      fmt::format_to(
          std::back_inserter(out),
          R"(null,"tool_calls":[{{"id":"call-{}","type":"function","function":{{"name":{},"arguments":{}}}}}])",
          reply_.id, json::quote(answer_.tool), json::quote(answer_.tool_arguments));
    }
    fmt::format_to(std::back_inserter(out),
                   R"(}},"logprobs":null,"finish_reason":"{}","stop_reason":null}}],"usage":)",
                   finish_reason(answer_));
    append_usage(out, answer_);
    append_kv_transfer_params(out, answer_);
    out += '}';
  }

  void append_begin(std::string& out) override {
    event_head_ = "data: ";
    append_head(event_head_, "chat.completion.chunk");
    append_delta(out, R"({"role":"assistant","content":""})", "null");
  }

  void append_piece(std::string& out, std::size_t index) override {
    delta_.clear();
    if (index < answer_.reasoning.size()) {
      delta_ = R"({"reasoning_content":)";
      json::append_quoted(delta_, answer_.reasoning[index]);
      delta_ += '}';
    } else if (answer_.tool.empty()) {
      delta_ = R"({"content":)";
      json::append_quoted(delta_, answer_.text[index - answer_.reasoning.size()]);
      delta_ += '}';
    } else {
      make_tool_delta(index - answer_.reasoning.size());
    }
    append_delta(out, delta_, "null");
  }

  void append_end(std::string& out) override {
    append_delta(out, "{}", fmt::format("\"{}\"", finish_reason(answer_)));
    if (reply_.ask.include_usage) {
      out += event_head_;
      out += R"("choices":[],"usage":)";
      append_usage(out, answer_);
      out += "}\n\n";
    }
    out += "data: [DONE]\n\n";
  }

  std::size_t pieces() const override {
    return answer_.reasoning.size() + (answer_.tool.empty() ? answer_.text.size() : kToolEvents);
  }

 private:
  void append_head(std::string& out, std::string_view object) const {
    fmt::format_to(std::back_inserter(out),
                   R"({{"id":"chatcmpl-{}","object":"{}","created":{},"model":{},)", reply_.id,
                   object, reply_.created, json::quote(reply_.ask.model));
  }
  void append_delta(std::string& out, std::string_view delta, std::string_view finish) const {
    out += event_head_;
    out += R"("choices":[{"index":0,"delta":)";
    out += delta;
    out += R"(,"logprobs":null,"finish_reason":)";
    out += finish;
    out += "}]}\n\n";
  }
  void make_tool_delta(std::size_t part) {
    delta_ = R"({"tool_calls":[{"index":0,)";
    if (part == 0) {
      fmt::format_to(
          std::back_inserter(delta_),
          R"("id":"call-{}","type":"function","function":{{"name":{},"arguments":""}}}}]}})",
          reply_.id, json::quote(answer_.tool));
      return;
    }
    // The first part is ASCII by construction, so the cut falls between characters.
    constexpr std::size_t kFirstPart = 5;
    const std::string_view arguments = answer_.tool_arguments;
    const auto shown = part == 1 ? arguments.substr(0, kFirstPart) : arguments.substr(kFirstPart);
    fmt::format_to(std::back_inserter(delta_), R"("function":{{"arguments":{}}}}}]}})",
                   json::quote(shown));
  }

  const Reply& reply_;
  const Answer& answer_;
  std::string event_head_;
  std::string delta_;
};

class CompletionsWire final : public Wire {
 public:
  explicit CompletionsWire(const Reply& reply) : reply_(reply), answer_(reply.answer) {}

  void append_body(std::string& out) const override {
    append_head(out);
    append_choice(out, answer_.whole_text(), answer_.cut ? "\"length\"" : "\"stop\"");
    out += R"(,"usage":)";
    append_usage(out, answer_);
    append_kv_transfer_params(out, answer_);
    out += '}';
  }
  void append_begin(std::string&) override {}
  void append_piece(std::string& out, std::size_t index) override {
    out += "data: ";
    append_head(out);
    append_choice(out, answer_.text[index], "null");
    out += "}\n\n";
  }
  void append_end(std::string& out) override {
    out += "data: ";
    append_head(out);
    append_choice(out, "", answer_.cut ? "\"length\"" : "\"stop\"");
    out += "}\n\n";
    if (reply_.ask.include_usage) {
      out += "data: ";
      append_head(out);
      out += R"("choices":[],"usage":)";
      append_usage(out, answer_);
      out += "}\n\n";
    }
    out += "data: [DONE]\n\n";
  }
  std::size_t pieces() const override { return answer_.text.size(); }

 private:
  void append_head(std::string& out) const {
    fmt::format_to(std::back_inserter(out),
                   R"({{"id":"cmpl-{}","object":"text_completion","created":{},"model":{},)",
                   reply_.id, reply_.created, json::quote(reply_.ask.model));
  }
  static void append_choice(std::string& out, std::string_view text, std::string_view finish) {
    out += R"("choices":[{"index":0,"text":)";
    json::append_quoted(out, text);
    out += R"(,"logprobs":null,"finish_reason":)";
    out += finish;
    out += R"(,"stop_reason":null}])";
  }

  const Reply& reply_;
  const Answer& answer_;
};

}  // namespace

std::unique_ptr<Wire> make_chat_wire(const Reply& reply) {
  return std::make_unique<ChatWire>(reply);
}
std::unique_ptr<Wire> make_completions_wire(const Reply& reply) {
  return std::make_unique<CompletionsWire>(reply);
}

}  // namespace signalbox::sim
