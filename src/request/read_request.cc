#include "request/read_request.h"

#include <algorithm>
#include <ranges>
#include <utility>

#include "base/text.h"
#include "http/multipart.h"
#include "json/utf8.h"
#include "request/fields.h"
#include "request/messages.h"

namespace signalbox::request {
namespace {

using exchange::ClientRequest;
using exchange::Endpoint;
using exchange::Request;
using json::Value;

// Bytes of text per token, for context bands: close enough for English under BPE vocabularies of 100k and more.
constexpr std::size_t kBytesPerToken = 4;

bool says_json(const http::Headers& headers) {
  std::string_view type = headers.get("content-type");
  type = trim(type.substr(0, type.find(';')));
  constexpr std::string_view kSuffix = "+json";
  return equal_ignore_case(type, "application/json") ||
         (type.size() > kSuffix.size() &&
          equal_ignore_case(type.substr(type.size() - kSuffix.size()), kSuffix));
}

Result<void> read_model(const Object& body, Request& request) {
  SBX_TRY(const std::optional<Value> model, find_string(body, "model"));
  if (model) request.model = model->string();
  if (request.model.empty() && requires_model(request.endpoint)) {
    return fail(Code::kInvalidArgument, "you must name a model: 'model' is required", "model");
  }
  return {};
}

Result<void> read_stream(const Object& body, Request& request) {
  SBX_TRY(request.stream, find_bool(body, "stream", false));
  SBX_TRY(const std::optional<Object> options, find_object(body, "stream_options"));
  if (!options) return {};
  SBX_TRY(request.include_usage, find_bool(*options, "include_usage", false));
  return {};
}

// The limit that is in force: newer names win, as engines do it.
Result<void> read_limits(const Object& body, Request& request) {
  for (const std::string_view key : {"max_tokens", "max_completion_tokens", "max_output_tokens"}) {
    SBX_TRY(const std::optional<std::int64_t> value, find_count(body, key));
    if (value) request.max_tokens = *value;
  }
  SBX_TRY(const std::optional<std::int64_t> choices, find_count(body, "n"));
  static_cast<void>(choices);  // only its type matters here: request_params edits it
  return {};
}

// Fields that plugins or the renderer edit inside: shape and unique keys, nothing else.
Result<void> check_editable(const Object& body) {
  for (const std::string_view key : {"chat_template_kwargs", "reasoning"}) {
    SBX_TRY(const std::optional<Object> object, find_object(body, key));
    static_cast<void>(object);
  }
  SBX_TRY(const std::optional<Value> effort, find_string(body, "reasoning_effort"));
  static_cast<void>(effort);
  return {};
}

Result<void> read_identity(const Object& body, Request& request) {
  SBX_TRY(const std::optional<Value> user, find_string(body, "user"));
  if (user) request.user = user->string();
  SBX_TRY(const std::optional<Object> metadata, find_object(body, "metadata"));
  if (!metadata) return {};
  for (const Value::Member& member : metadata->value.member_range()) {
    if (member.value.is_string()) {
      request.metadata.emplace_back(member.key.string(), member.value.string());
    }
  }
  return {};
}

Result<void> read_optional_chat(const Object& body, Request& request, TextPool& pool) {
  SBX_TRY(const std::optional<Value> messages, find_any(body, "messages"));
  if (!messages) return {};
  return read_chat_messages(*messages, request, pool);
}

Result<void> read_texts(const Object& body, Request& request, TextPool& pool) {
  switch (request.endpoint) {
    case Endpoint::kChatCompletions: {
      SBX_TRY(const std::optional<Value> messages, find_any(body, "messages"));
      if (!messages) return fail(Code::kInvalidArgument, "'messages' is required", "messages");
      return read_chat_messages(*messages, request, pool);
    }
    case Endpoint::kMessages:
      return read_anthropic(body, request, pool);
    case Endpoint::kResponses:
      return read_responses(body, request, pool);
    case Endpoint::kCompletions:
      return read_prompt(body, {"prompt"}, request, pool);
    case Endpoint::kRerank:
      return read_prompt(body, {"query"}, request, pool);
    case Endpoint::kScore:
      return read_prompt(body, {"text_1", "text_2"}, request, pool);
    case Endpoint::kEmbeddings:
      SBX_CHECK_OK(read_prompt(body, {"input"}, request, pool));
      return read_optional_chat(body, request, pool);
    case Endpoint::kTokenize:
      SBX_CHECK_OK(read_prompt(body, {"prompt"}, request, pool));
      return read_optional_chat(body, request, pool);
    default:
      return {};
  }
}

void sum_up(Request& request) {
  for (const exchange::Message& message : request.messages)
    request.text_bytes += message.text.size();
  request.context_tokens = static_cast<std::int64_t>(request.text_bytes / kBytesPerToken);
  for (const exchange::Message& message : std::views::reverse(request.messages)) {
    if (message.role != "user") continue;
    request.user_text = message.text;
    break;
  }
}

Result<void> read_body(Request& request) {
  SBX_TRY(const Object body, as_object(request.document.root(), {}));
  SBX_CHECK_OK(read_model(body, request));
  SBX_CHECK_OK(read_stream(body, request));
  SBX_CHECK_OK(read_limits(body, request));
  SBX_CHECK_OK(check_editable(body));
  SBX_CHECK_OK(read_identity(body, request));
  SBX_TRY(const std::optional<Value> tools, find_array(body, "tools"));
  if (tools) request.tool_count = tools->size();
  TextPool pool(request.texts);
  SBX_CHECK_OK(read_texts(body, request, pool));
  sum_up(request);
  return {};
}

// Forms say their model in a field of their own; everything else in them is the engine's. A field that stands twice is
// refused, because readers differ in which one they take.
Result<void> read_form_body(const ClientRequest& client, Request& request) {
  SBX_TRY(const auto fields, http::read_form(client.headers.get("content-type"), client.body));
  std::optional<std::string_view> stream;
  for (const http::FormField& field : fields) {
    const std::string_view value =
        std::string_view(client.body).substr(field.begin, field.end - field.begin);
    const bool is_model = field.name == "model";
    if (!is_model && field.name != "stream") continue;
    if (is_model ? request.form_model.has_value() : stream.has_value()) {
      return fail(Code::kInvalidArgument, "the form has two fields of this name", field.name);
    }
    if (is_model) {
      if (field.is_file || !json::is_utf8(value)) {
        return fail(Code::kInvalidArgument, "'model' must be text", "model");
      }
      request.model = value;
      request.form_model = {field.begin, field.end};
    } else {
      stream = value;
    }
  }
  request.stream = stream && equal_ignore_case(*stream, "true");
  return {};
}

}  // namespace

Result<Request> read_request(const ClientRequest& client) {
  Request request;
  request.endpoint = endpoint_of(client.path);
  const bool known = has_json_body(request.endpoint);
  if (!known && http::is_form(client.headers.get("content-type"))) {
    SBX_CHECK_OK(read_form_body(client, request));
    return request;
  }
  if (!known && (client.body.empty() || !says_json(client.headers))) return request;
  SBX_TRY(request.document, json::Document::parse(client.body));
  // Paths we do not know may take any JSON; only an object can name a model.
  if (!known && !request.document.root().is_object()) return request;
  SBX_CHECK_OK(read_body(request));
  return request;
}

}  // namespace signalbox::request
