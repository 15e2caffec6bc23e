// Chat completions and completions.
#include "api/answer.h"
#include "json/writer.h"

namespace signalbox::api {
namespace {

constexpr std::string_view kDone = "data: [DONE]\n\n";

// One of the two APIs: same frame, other names.
struct Shape {
  std::string_view id_prefix;
  std::string_view object;
  std::string_view chunk_object;
};
constexpr Shape kChat{"chatcmpl-", "chat.completion", "chat.completion.chunk"};
constexpr Shape kText{"cmpl-", "text_completion", "text_completion"};

void write_head(json::Writer& writer, const Answer& answer, const Shape& shape,
                std::string_view object) {
  writer.key("id").string(std::string(shape.id_prefix) + answer.id);
  writer.key("object").string(object).key("created").integer(answer.created);
  writer.key("model").string(answer.model);
}

void write_usage(json::Writer& writer, const Answer& answer) {
  writer.key("usage").begin_object();
  writer.key("prompt_tokens").integer(answer.prompt_tokens);
  writer.key("completion_tokens").integer(answer.completion_tokens);
  writer.key("total_tokens").integer(answer.prompt_tokens + answer.completion_tokens);
  writer.end_object();
}

void write_finish(json::Writer& writer, bool last) {
  writer.key("logprobs").null().key("finish_reason");
  if (last) {
    writer.string("stop");
  } else {
    writer.null();
  }
}

// A chunk with one choice; `choice` writes what is in it besides its index and end.
template <class Choice>
void append_chunk(std::string& out, const Answer& answer, const Shape& shape, bool last,
                  Choice choice) {
  out += "data: ";
  json::Writer writer(out);
  writer.begin_object();
  write_head(writer, answer, shape, shape.chunk_object);
  writer.key("choices").begin_array().begin_object().key("index").integer(0);
  choice(writer);
  write_finish(writer, last);
  writer.end_object().end_array().end_object();
  out += "\n\n";
}

// The chunk that comes last when stream_options.include_usage was set: no choice, only the counts.
void append_usage_chunk(std::string& out, const Answer& answer, const Shape& shape) {
  if (!answer.include_usage) return;
  out += "data: ";
  json::Writer writer(out);
  writer.begin_object();
  write_head(writer, answer, shape, shape.chunk_object);
  writer.key("choices").begin_array().end_array();
  write_usage(writer, answer);
  writer.end_object();
  out += "\n\n";
}

}  // namespace

std::string chat_completion(const Answer& answer) {
  std::string body;
  json::Writer writer(body);
  writer.begin_object();
  write_head(writer, answer, kChat, kChat.object);
  writer.key("choices").begin_array().begin_object().key("index").integer(0);
  writer.key("message").begin_object().key("role").string("assistant");
  writer.key("content").string(answer.text).end_object();
  write_finish(writer, true);
  writer.end_object().end_array();
  write_usage(writer, answer);
  writer.end_object();
  return body;
}

std::string text_completion(const Answer& answer) {
  std::string body;
  json::Writer writer(body);
  writer.begin_object();
  write_head(writer, answer, kText, kText.object);
  writer.key("choices").begin_array().begin_object().key("index").integer(0);
  writer.key("text").string(answer.text);
  write_finish(writer, true);
  writer.end_object().end_array();
  write_usage(writer, answer);
  writer.end_object();
  return body;
}

std::string chat_completion_stream(const Answer& answer) {
  std::string out;
  append_chunk(out, answer, kChat, false, [](json::Writer& writer) {
    writer.key("delta").begin_object().key("role").string("assistant");
    writer.key("content").string("").end_object();
  });
  for (const std::string_view piece : delta_pieces(answer.text)) {
    append_chunk(out, answer, kChat, false, [&](json::Writer& writer) {
      writer.key("delta").begin_object().key("content").string(piece).end_object();
    });
  }
  append_chunk(out, answer, kChat, true,
               [](json::Writer& writer) { writer.key("delta").begin_object().end_object(); });
  append_usage_chunk(out, answer, kChat);
  return out.append(kDone);
}

std::string text_completion_stream(const Answer& answer) {
  std::string out;
  for (const std::string_view piece : delta_pieces(answer.text)) {
    append_chunk(out, answer, kText, false,
                 [&](json::Writer& writer) { writer.key("text").string(piece); });
  }
  append_chunk(out, answer, kText, true,
               [](json::Writer& writer) { writer.key("text").string(""); });
  append_usage_chunk(out, answer, kText);
  return out.append(kDone);
}

std::vector<std::string_view> delta_pieces(std::string_view text) {
  constexpr std::string_view kSpaces = " \t\r\n";
  std::vector<std::string_view> pieces;
  while (!text.empty()) {
    const std::size_t word = text.find_first_not_of(kSpaces);
    const std::size_t end =
        word == std::string_view::npos ? word : text.find_first_of(kSpaces, word);
    pieces.push_back(text.substr(0, end));
    text.remove_prefix(pieces.back().size());
  }
  return pieces;
}

}  // namespace signalbox::api
