// The Responses API.
#include <utility>

#include "api/answer.h"
#include "json/writer.h"

namespace signalbox::api {
namespace {

enum class Progress { kStarted, kDone };

void write_part(json::Writer& writer, std::string_view text) {
  writer.begin_object().key("type").string("output_text").key("text").string(text);
  writer.key("annotations").begin_array().end_array().end_object();
}

void write_item(json::Writer& writer, const Answer& answer, Progress progress) {
  const bool done = progress == Progress::kDone;
  writer.begin_object().key("type").string("message").key("id").string("msg_" + answer.id);
  writer.key("status").string(done ? "completed" : "in_progress").key("role").string("assistant");
  writer.key("content").begin_array();
  if (done) write_part(writer, answer.text);
  writer.end_array().end_object();
}

void write_response(json::Writer& writer, const Answer& answer, Progress progress) {
  const bool done = progress == Progress::kDone;
  writer.begin_object().key("id").string("resp_" + answer.id).key("object").string("response");
  writer.key("created_at").integer(answer.created);
  writer.key("status").string(done ? "completed" : "in_progress");
  writer.key("error").null().key("incomplete_details").null();
  writer.key("model").string(answer.model).key("output").begin_array();
  if (done) write_item(writer, answer, progress);
  writer.end_array().key("parallel_tool_calls").boolean(true).key("tool_choice").string("auto");
  writer.key("tools").begin_array().end_array().key("usage");
  if (!done) {
    writer.null().end_object();
    return;
  }
  writer.begin_object().key("input_tokens").integer(answer.prompt_tokens);
  writer.key("output_tokens").integer(answer.completion_tokens);
  writer.key("total_tokens").integer(answer.prompt_tokens + answer.completion_tokens);
  writer.end_object().end_object();
}

// Events of one stream, numbered as the API numbers them.
class Events {
 public:
  explicit Events(const Answer& answer) : answer_(answer) {}

  void response(std::string_view type, Progress progress) {
    add(type,
        [&](json::Writer& writer) { write_response(writer.key("response"), answer_, progress); });
  }
  void item(std::string_view type, Progress progress) {
    add(type, [&](json::Writer& writer) {
      write_item(writer.key("output_index").integer(0).key("item"), answer_, progress);
    });
  }
  void part(std::string_view type, std::string_view text) {
    add(type, [&](json::Writer& writer) { write_part(place(writer).key("part"), text); });
  }
  void text(std::string_view type, std::string_view key, std::string_view text) {
    add(type, [&](json::Writer& writer) { place(writer).key(key).string(text); });
  }
  std::string take() { return std::move(out_); }

 private:
  json::Writer& place(json::Writer& writer) const {
    return writer.key("item_id")
        .string("msg_" + answer_.id)
        .key("output_index")
        .integer(0)
        .key("content_index")
        .integer(0);
  }

  template <class Fields>
  void add(std::string_view type, Fields fields) {
    out_.append("event: ").append(type).append("\ndata: ");
    json::Writer writer(out_);
    writer.begin_object().key("type").string(type).key("sequence_number").integer(sequence_++);
    fields(writer);
    writer.end_object();
    out_ += "\n\n";
  }

  const Answer& answer_;
  std::string out_;
  std::int64_t sequence_ = 0;
};

}  // namespace

std::string response_object(const Answer& answer) {
  std::string body;
  json::Writer writer(body);
  write_response(writer, answer, Progress::kDone);
  return body;
}

std::string response_stream(const Answer& answer) {
  Events events(answer);
  events.response("response.created", Progress::kStarted);
  events.response("response.in_progress", Progress::kStarted);
  events.item("response.output_item.added", Progress::kStarted);
  events.part("response.content_part.added", "");
  for (const std::string_view piece : delta_pieces(answer.text)) {
    events.text("response.output_text.delta", "delta", piece);
  }
  events.text("response.output_text.done", "text", answer.text);
  events.part("response.content_part.done", answer.text);
  events.item("response.output_item.done", Progress::kDone);
  events.response("response.completed", Progress::kDone);
  return events.take();
}

}  // namespace signalbox::api
