#include "api/error_body.h"

#include "json/writer.h"

namespace signalbox::api {
namespace {

void string_or_null(json::Writer& writer, std::string_view text) {
  if (text.empty()) {
    writer.null();
  } else {
    writer.string(text);
  }
}

}  // namespace

std::string openai_error(const Error& error) {
  std::string body;
  json::Writer writer(body);
  const CodeTraits& code = traits(error.code);
  writer.begin_object().key("error").begin_object();
  writer.key("message").string(error.message).key("type").string(code.openai_type);
  writer.key("param");
  string_or_null(writer, error.param);
  writer.key("code");
  string_or_null(writer, code.openai_code);
  writer.end_object().end_object();
  return body;
}

std::string_view anthropic_error_type(Code code) {
  switch (traits(code).http_status) {
    case 401:
      return "authentication_error";
    case 403:
      return "permission_error";
    case 404:
      return "not_found_error";
    case 413:
      return "request_too_large";
    case 429:
      return "rate_limit_error";
    case 503:
    case 529:
      return "overloaded_error";
    default:
      return traits(code).http_status < 500 ? "invalid_request_error" : "api_error";
  }
}

std::string anthropic_error(const Error& error, std::string_view request_id) {
  std::string body;
  json::Writer writer(body);
  writer.begin_object().key("type").string("error").key("error").begin_object();
  writer.key("type").string(anthropic_error_type(error.code));
  writer.key("message").string(error.message).end_object();
  writer.key("request_id");
  string_or_null(writer, request_id);
  writer.end_object();
  return body;
}

std::string openai_error_event(const Error& error) {
  return "data: " + openai_error(error) + "\n\n";
}

std::string anthropic_error_event(const Error& error, std::string_view request_id) {
  return "event: error\ndata: " + anthropic_error(error, request_id) + "\n\n";
}

}  // namespace signalbox::api
