// Anthropic's Messages API.
#include "api/answer.h"
#include "json/writer.h"

namespace signalbox::api {
namespace {

void write_message(json::Writer& writer, const Answer& answer, bool done) {
  writer.begin_object().key("id").string("msg_" + answer.id).key("type").string("message");
  writer.key("role").string("assistant").key("model").string(answer.model);
  writer.key("content").begin_array();
  if (done) {
    writer.begin_object().key("type").string("text").key("text").string(answer.text).end_object();
  }
  writer.end_array().key("stop_reason");
  if (done) {
    writer.string("end_turn");
  } else {
    writer.null();
  }
  writer.key("stop_sequence").null().key("usage").begin_object();
  writer.key("input_tokens").integer(answer.prompt_tokens);
  writer.key("output_tokens").integer(done ? answer.completion_tokens : 0);
  writer.end_object().end_object();
}

template <class Fields>
void append_event(std::string& out, std::string_view type, Fields fields) {
  out.append("event: ").append(type).append("\ndata: ");
  json::Writer writer(out);
  writer.begin_object().key("type").string(type);
  fields(writer);
  writer.end_object();
  out += "\n\n";
}

}  // namespace

std::string message_object(const Answer& answer) {
  std::string body;
  json::Writer writer(body);
  write_message(writer, answer, true);
  return body;
}

std::string message_stream(const Answer& answer) {
  std::string out;
  append_event(out, "message_start",
               [&](json::Writer& writer) { write_message(writer.key("message"), answer, false); });
  append_event(out, "content_block_start", [](json::Writer& writer) {
    writer.key("index").integer(0).key("content_block").begin_object();
    writer.key("type").string("text").key("text").string("").end_object();
  });
  for (const std::string_view piece : delta_pieces(answer.text)) {
    append_event(out, "content_block_delta", [&](json::Writer& writer) {
      writer.key("index").integer(0).key("delta").begin_object();
      writer.key("type").string("text_delta").key("text").string(piece).end_object();
    });
  }
  append_event(out, "content_block_stop",
               [](json::Writer& writer) { writer.key("index").integer(0); });
  append_event(out, "message_delta", [&](json::Writer& writer) {
    writer.key("delta").begin_object().key("stop_reason").string("end_turn");
    writer.key("stop_sequence").null().end_object();
    writer.key("usage")
        .begin_object()
        .key("output_tokens")
        .integer(answer.completion_tokens)
        .end_object();
  });
  append_event(out, "message_stop", [](json::Writer&) {});
  return out;
}

}  // namespace signalbox::api
