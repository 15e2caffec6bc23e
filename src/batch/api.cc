#include "batch/api.h"

#include <fmt/core.h>

#include <algorithm>
#include <optional>

#include "base/text.h"
#include "http/multipart.h"
#include "json/document.h"
#include "json/writer.h"

namespace signalbox::batch {
namespace {

constexpr std::string_view kFiles = "/v1/files";
constexpr std::string_view kBatches = "/v1/batches";
constexpr std::size_t kPageMax = 100;
constexpr std::size_t kMetadataBytesMax = 16 << 10;

std::string parameter(std::string_view query, std::string_view name) {
  for (const auto part : split(query, '&')) {
    const auto equals = part.find('=');
    if (equals != std::string_view::npos && part.substr(0, equals) == name)
      return std::string(part.substr(equals + 1));
  }
  return {};
}

Page page_of(const Call& call, std::size_t otherwise, std::size_t most) {
  Page page;
  page.after = parameter(call.query, "after");
  page.ascending = parameter(call.query, "order") == "asc";
  const auto limit = parse_uint(parameter(call.query, "limit"));
  page.limit = std::clamp<std::size_t>(limit.value_or(otherwise), 1, most);
  return page;
}

template <class T, class Json>
std::string list_json(const std::vector<const T*>& all, const Page& page, Json json_of) {
  const std::size_t count = std::min(page.limit, all.size());
  std::string body;
  json::Writer out(body);
  out.begin_object().key("object").string("list").key("data").begin_array();
  for (std::size_t i = 0; i < count; ++i) out.raw(json_of(*all[i]));
  out.end_array().key("first_id");
  count == 0 ? out.null() : out.string(all[0]->id);
  out.key("last_id");
  count == 0 ? out.null() : out.string(all[count - 1]->id);
  out.key("has_more").boolean(all.size() > count).end_object();
  return body;
}

std::unexpected<Error> wrong_method(const Call& call, std::string_view allowed) {
  return fail(Code::kMethodNotAllowed, fmt::format("{} answers {}", call.path, allowed));
}

// File names go into JSON and logs of others: path parts and control characters do not.
std::string plain_name(std::string_view name) {
  name = name.substr(name.find_last_of("/\\") + 1);
  std::string out(name.substr(0, 255));
  std::erase_if(out, [](char c) { return static_cast<unsigned char>(c) < 0x20; });
  return out;
}

Result<Reply> upload(const Call& call, FileStore& files) {
  if (!http::is_form(call.content_type)) {
    return fail(Code::kInvalidArgument, "send multipart/form-data with the fields file and purpose",
                "file");
  }
  SBX_TRY(const auto fields, http::read_form(call.content_type, call.body));
  FileInfo file;
  file.owner = call.owner;
  std::optional<std::string_view> content;
  for (const http::FormField& field : fields) {
    const auto value = std::string_view(call.body).substr(field.begin, field.end - field.begin);
    if (field.name == "purpose") file.purpose = plain_name(value);
    if (field.name != "file" || !field.is_file) continue;
    content = value;
    file.name = plain_name(field.file_name);
  }
  if (!content) return fail(Code::kInvalidArgument, "the form has no file", "file");
  if (file.purpose.empty()) return fail(Code::kInvalidArgument, "purpose is missing", "purpose");
  SBX_TRY(const FileInfo stored, files.create(std::move(file), *content));
  return Reply{.body = file_json(stored), .content_of = {}, .content_bytes = 0};
}

Reply json_reply(std::string body) {
  return {.body = std::move(body), .content_of = {}, .content_bytes = 0};
}

Result<Reply> file_call(const Call& call, FileStore& files) {
  std::string_view rest = std::string_view(call.path).substr(kFiles.size());
  if (rest.empty()) {
    if (call.method == "POST") return upload(call, files);
    if (call.method != "GET") return wrong_method(call, "GET and POST");
    const Page page = page_of(call, 10'000, 10'000);
    return json_reply(
        list_json(files.list(call.owner, parameter(call.query, "purpose"), page), page, file_json));
  }
  rest.remove_prefix(1);
  const bool content = rest.ends_with("/content");
  const std::string_view id = rest.substr(0, rest.find('/'));
  const FileInfo* file = files.find(call.owner, id);
  if (file == nullptr || (!content && id.size() != rest.size()))
    return fail(Code::kNotFound, "no file has this id", "file_id");
  if (content) {
    if (call.method != "GET") return wrong_method(call, "GET");
    return Reply{.body = {}, .content_of = file->id, .content_bytes = file->bytes};
  }
  if (call.method == "GET") return json_reply(file_json(*file));
  if (call.method != "DELETE") return wrong_method(call, "GET and DELETE");
  const std::string removed = file->id;
  SBX_CHECK_OK(files.remove(call.owner, removed));
  return json_reply(fmt::format(R"({{"id":"{}","object":"file","deleted":true}})", removed));
}

Result<Reply> create(const Call& call, Runner& runner) {
  SBX_TRY(const auto document, json::Document::parse(call.body));
  const json::Value root = document.root();
  if (!root.is_object()) return fail(Code::kInvalidArgument, "the body must be a JSON object");
  const auto text = [&](std::string_view key) -> Result<std::string> {
    SBX_TRY(const auto value, root.find(key));
    if (!value || !value->is_string()) {
      return fail(Code::kInvalidArgument, fmt::format("{} must be a string", key),
                  std::string(key));
    }
    return value->string();
  };
  Batch batch;
  batch.owner = call.owner;
  SBX_TRY(batch.input_file, text("input_file_id"));
  SBX_TRY(batch.endpoint, text("endpoint"));
  SBX_TRY(batch.window, text("completion_window"));
  SBX_TRY(const auto metadata, root.find("metadata"));
  if (metadata && metadata->raw().size() > kMetadataBytesMax)
    return fail(Code::kInvalidArgument, "metadata is too long", "metadata");
  if (metadata) batch.metadata = std::string(metadata->raw());
  SBX_TRY(const Batch made, runner.create(std::move(batch)));
  return json_reply(batch_json(made));
}

Result<Reply> batch_call(const Call& call, Runner& runner) {
  std::string_view rest = std::string_view(call.path).substr(kBatches.size());
  if (rest.empty()) {
    if (call.method == "POST") return create(call, runner);
    if (call.method != "GET") return wrong_method(call, "GET and POST");
    const Page page = page_of(call, 20, kPageMax);
    return json_reply(list_json(runner.list(call.owner, page), page, batch_json));
  }
  rest.remove_prefix(1);
  const bool cancel = rest.ends_with("/cancel");
  const std::string_view id = rest.substr(0, rest.find('/'));
  const Batch* batch = runner.find(call.owner, id);
  if (batch == nullptr || (!cancel && id.size() != rest.size()))
    return fail(Code::kNotFound, "no batch has this id", "batch_id");
  if ((cancel && call.method == "POST") || (!cancel && call.method == "DELETE")) {
    SBX_TRY(const Batch cancelled, runner.cancel(call.owner, id));
    return json_reply(batch_json(cancelled));
  }
  if (cancel) return wrong_method(call, "POST");
  if (call.method != "GET") return wrong_method(call, "GET and DELETE");
  return json_reply(batch_json(*batch));
}

bool is_below(std::string_view path, std::string_view root) {
  return path == root || (path.starts_with(root) && path[root.size()] == '/');
}

}  // namespace

bool is_batch_path(std::string_view path) {
  return is_below(path, kFiles) || is_below(path, kBatches);
}

Result<Reply> answer(const Call& call, FileStore& files, Runner* runner) {
  if (is_below(call.path, kFiles)) return file_call(call, files);
  if (runner == nullptr)
    return fail(Code::kNotFound, "batches are off; signalbox.batches.enabled turns them on");
  return batch_call(call, *runner);
}

}  // namespace signalbox::batch
