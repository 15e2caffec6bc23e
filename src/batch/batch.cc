#include "batch/batch.h"

#include <fmt/core.h>

#include <algorithm>

#include "json/document.h"
#include "json/writer.h"

namespace signalbox::batch {
namespace {

constexpr std::array<std::string_view, 8> kWords = {"validating", "in_progress", "finalizing",
                                                    "completed",  "failed",      "expired",
                                                    "cancelling", "cancelled"};

void optional_text(json::Writer& out, std::string_view key, const std::string& text) {
  out.key(key);
  text.empty() ? out.null() : out.string(text);
}
void optional_time(json::Writer& out, std::string_view key, std::int64_t time) {
  out.key(key);
  time == 0 ? out.null() : out.integer(time);
}

// Reads members of a stored record.
struct Record {
  json::Value root;
  std::string text(std::string_view key) const {
    const auto found = root.find(key);
    return found && *found && (*found)->is_string() ? (*found)->string() : std::string();
  }
  std::int64_t number(std::string_view key) const {
    const auto found = root.find(key);
    return found && *found ? (*found)->integer().value_or(0) : 0;
  }
};

std::unexpected<Error> bad_line(std::string message, std::string param) {
  return fail(Code::kInvalidArgument, std::move(message), std::move(param));
}

}  // namespace

std::string_view status_word(Status status) { return kWords[static_cast<std::size_t>(status)]; }

bool is_final(Status status) {
  return status == Status::kCompleted || status == Status::kFailed || status == Status::kExpired ||
         status == Status::kCancelled;
}

std::string batch_json(const Batch& batch) {
  std::string text;
  json::Writer out(text);
  out.begin_object().key("id").string(batch.id).key("object").string("batch");
  out.key("endpoint").string(batch.endpoint).key("errors");
  if (batch.problem.empty()) {
    out.null();
  } else {
    out.begin_object().key("object").string("list").key("data").begin_array().begin_object();
    out.key("code").string("invalid_input").key("message").string(batch.problem);
    out.key("param").null();
    optional_time(out, "line", batch.problem_line);
    out.end_object().end_array().end_object();
  }
  out.key("input_file_id").string(batch.input_file);
  out.key("completion_window").string(batch.window);
  out.key("status").string(status_word(batch.status));
  optional_text(out, "output_file_id", batch.output_file);
  optional_text(out, "error_file_id", batch.error_file);
  out.key("created_at").integer(batch.created_at);
  optional_time(out, "in_progress_at", batch.begun_at);
  optional_time(out, "expires_at", batch.expires_at);
  const auto ended = [&](Status status) { return batch.status == status ? batch.ended_at : 0; };
  optional_time(out, "finalizing_at", ended(Status::kCompleted));
  optional_time(out, "completed_at", ended(Status::kCompleted));
  optional_time(out, "failed_at", ended(Status::kFailed));
  optional_time(out, "expired_at", ended(Status::kExpired));
  optional_time(out, "cancelling_at", batch.cancelling_at);
  optional_time(out, "cancelled_at", ended(Status::kCancelled));
  out.key("request_counts").begin_object().key("total").integer(batch.total);
  out.key("completed").integer(batch.completed).key("failed").integer(batch.failed).end_object();
  out.key("metadata").raw(batch.metadata).end_object();
  return text;
}

std::string stored_json(const Batch& batch) {
  std::string text;
  json::Writer out(text);
  out.begin_object().key("id").string(batch.id).key("owner").string(batch.owner);
  out.key("endpoint").string(batch.endpoint).key("input_file").string(batch.input_file);
  out.key("window").string(batch.window).key("metadata").raw(batch.metadata);
  out.key("status").string(status_word(batch.status));
  out.key("output_file").string(batch.output_file).key("error_file").string(batch.error_file);
  out.key("problem").string(batch.problem).key("problem_line").integer(batch.problem_line);
  out.key("total").integer(batch.total).key("completed").integer(batch.completed);
  out.key("failed").integer(batch.failed).key("created_at").integer(batch.created_at);
  out.key("begun_at").integer(batch.begun_at).key("expires_at").integer(batch.expires_at);
  out.key("ended_at").integer(batch.ended_at);
  out.key("cancelling_at").integer(batch.cancelling_at).end_object();
  return text;
}

Result<Batch> read_batch(std::string_view stored) {
  const auto document = json::Document::parse(stored);
  if (!document || !document->root().is_object())
    return fail(Code::kCorrupt, "a stored batch is not JSON");
  const Record record{document->root()};
  Batch batch;
  batch.id = record.text("id");
  batch.owner = record.text("owner");
  batch.endpoint = record.text("endpoint");
  batch.input_file = record.text("input_file");
  batch.window = record.text("window");
  if (const auto metadata = record.root.find("metadata"); metadata && *metadata)
    batch.metadata = std::string((*metadata)->raw());
  const auto word = std::ranges::find(kWords, record.text("status"));
  if (batch.id.empty() || word == kWords.end())
    return fail(Code::kCorrupt, "a stored batch has no id or no status");
  batch.status = static_cast<Status>(word - kWords.begin());
  batch.output_file = record.text("output_file");
  batch.error_file = record.text("error_file");
  batch.problem = record.text("problem");
  batch.problem_line = record.number("problem_line");
  batch.total = record.number("total");
  batch.completed = record.number("completed");
  batch.failed = record.number("failed");
  batch.created_at = record.number("created_at");
  batch.begun_at = record.number("begun_at");
  batch.expires_at = record.number("expires_at");
  batch.ended_at = record.number("ended_at");
  batch.cancelling_at = record.number("cancelling_at");
  return batch;
}

Result<Line> read_line(std::string_view text, const Batch& batch) {
  const auto document = json::Document::parse(text);
  if (!document || !document->root().is_object())
    return bad_line("the line is not a JSON object", "line");
  const Record record{document->root()};
  Line line;
  line.custom_id = record.text("custom_id");
  line.url = record.text("url");
  if (line.custom_id.empty()) return bad_line("custom_id is missing", "custom_id");
  if (record.text("method") != "POST") return bad_line("method must be POST", "method");
  if (line.url != batch.endpoint) {
    return bad_line(fmt::format("url must be the batch's endpoint {}", batch.endpoint), "url");
  }
  const auto body = record.root.find("body");
  if (!body || !*body || !(*body)->is_object()) return bad_line("body must be an object", "body");
  line.body = std::string((*body)->raw());
  return line;
}

std::string answer_line(const std::string& request_id, const Line& line, int status,
                        std::string_view body, std::string_view error) {
  std::string text;
  json::Writer out(text);
  out.begin_object().key("id").string("batch_req_" + request_id);
  out.key("custom_id").string(line.custom_id).key("response");
  if (status == 0) {
    out.null();
  } else {
    out.begin_object().key("status_code").integer(status).key("request_id").string(request_id);
    // A line holds one value: bodies that are no JSON become strings.
    out.key("body");
    json::Document::parse(body) ? out.raw(body) : out.string(body);
    out.end_object();
  }
  out.key("error");
  if (error.empty()) {
    out.null();
  } else {
    out.begin_object().key("code").string("request_failed").key("message").string(error);
    out.end_object();
  }
  out.end_object();
  // Bodies may be written over several lines.
  std::ranges::replace(text, '\n', ' ');
  return text;
}

std::string answered_id(std::string_view line) {
  const auto document = json::Document::parse(line);
  if (!document || !document->root().is_object()) return {};
  return Record{document->root()}.text("custom_id");
}

}  // namespace signalbox::batch
