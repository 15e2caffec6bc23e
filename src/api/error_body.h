// JSON bodies of errors that we answer ourselves, in the shape the client's API has.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"

namespace signalbox::api {

// {"error":{"message","type","param","code"}}; param and code are null when empty. Source: OpenAI API reference, "Error
// codes"; types and codes come from the one table in base/error.cc.
std::string openai_error(const Error& error);

// {"type":"error","error":{"type","message"},"request_id"}. Source: Anthropic API reference, "Errors".
std::string anthropic_error(const Error& error, std::string_view request_id);

// invalid_request_error, authentication_error, permission_error, not_found_error, request_too_large, rate_limit_error,
// overloaded_error or api_error: by HTTP status, as Anthropic's own service pairs them.
std::string_view anthropic_error_type(Code code);

// The `data` of an SSE event that ends a stream which broke after its first byte: "data: {...}\n\n" in OpenAI's shape,
// "event: error\ndata: {...}\n\n" in Anthropic's.
std::string openai_error_event(const Error& error);
std::string anthropic_error_event(const Error& error, std::string_view request_id);

}  // namespace signalbox::api
