#include "listener/extproc/codec.h"

#include <envoy/service/ext_proc/v3/external_processor.pb.h>

#include <utility>

namespace signalbox::listener {
namespace {

namespace ext_proc = envoy::service::ext_proc::v3;
using ProcessingMode = envoy::extensions::filters::http::ext_proc::v3::ProcessingMode;

// The name under which gateways and endpoint pickers agree on a destination (Gateway API Inference Extension, endpoint
// picker protocol): a request header of that name and this field of the dynamic metadata under envoy.lb.
constexpr const char* kDestinationKey = "x-gateway-destination-endpoint";
constexpr const char* kDestinationNamespace = "envoy.lb";
constexpr const char* kAttributes = "envoy.filters.http.ext_proc";

http::Headers read_headers(const envoy::config::core::v3::HeaderMap& map) {
  http::Headers headers;
  headers.reserve(static_cast<std::size_t>(map.headers_size()), map.ByteSizeLong());
  for (const auto& field : map.headers()) {
    // Envoy fills raw_value; other callers of the same API may fill value.
    headers.add(field.key(), field.raw_value().empty() ? field.value() : field.raw_value());
  }
  return headers;
}

BodyMode body_mode(int number) {
  return number >= 0 && number <= static_cast<int>(BodyMode::kGrpc) ? static_cast<BodyMode>(number)
                                                                    : BodyMode::kNone;
}

void read_headers_part(HttpPart part, ext_proc::HttpHeaders& from, ProxyMessage& message) {
  message.part = part;
  message.headers = read_headers(*from.mutable_headers());
  message.end_of_stream = from.end_of_stream();
}

void read_body_part(HttpPart part, ext_proc::HttpBody& from, ProxyMessage& message) {
  message.part = part;
  message.body = std::move(*from.mutable_body());
  message.end_of_stream = from.end_of_stream();
}

void read_trailers_part(HttpPart part, ext_proc::HttpTrailers& from, ProxyMessage& message) {
  message.part = part;
  message.headers = read_headers(*from.mutable_trailers());
  message.end_of_stream = true;
}

void write_headers(HeaderEdits edits, ext_proc::HeaderMutation& mutation) {
  using Option = envoy::config::core::v3::HeaderValueOption;
  const std::string* before = nullptr;
  for (auto& [name, value] : edits.set) {
    auto& option = *mutation.add_set_headers();
    // Several fields of one name stand beside one another.
    const bool more = before != nullptr && *before == name;
    option.set_append_action(more ? Option::APPEND_IF_EXISTS_OR_ADD
                                  : Option::OVERWRITE_IF_EXISTS_OR_ADD);
    option.mutable_header()->set_key(name);
    option.mutable_header()->set_raw_value(std::move(value));
    before = &name;
  }
  for (auto& name : edits.removed) mutation.add_remove_headers(std::move(name));
}

void write_common(ProxyReply& reply, ext_proc::CommonResponse& common) {
  if (!reply.headers.empty()) {
    write_headers(std::move(reply.headers), *common.mutable_header_mutation());
  }
  common.set_clear_route_cache(reply.clear_route_cache);
  if (reply.action == ProxyReply::Body::kReplace) {
    // An empty replacement means "nothing" only when it is said so.
    if (reply.body.empty()) {
      common.mutable_body_mutation()->set_clear_body(true);
    } else {
      common.mutable_body_mutation()->set_body(std::move(reply.body));
    }
  } else if (reply.action == ProxyReply::Body::kStreamed) {
    auto& piece = *common.mutable_body_mutation()->mutable_streamed_response();
    piece.set_body(std::move(reply.body));
    piece.set_end_of_stream(reply.end_of_stream);
  }
}

void write_override(const BodyModes& modes, ProcessingMode& mode) {
  mode.set_response_header_mode(ProcessingMode::SEND);
  mode.set_request_body_mode(
      static_cast<ProcessingMode::BodySendMode>(static_cast<int>(modes.request)));
  mode.set_response_body_mode(
      static_cast<ProcessingMode::BodySendMode>(static_cast<int>(modes.response)));
}

void write_reply(ProxyReply reply, ext_proc::ProcessingResponse& response) {
  if (!reply.destination.empty()) {
    auto& lb = (*response.mutable_dynamic_metadata()->mutable_fields())[kDestinationNamespace];
    (*lb.mutable_struct_value()->mutable_fields())[kDestinationKey].set_string_value(
        reply.destination);
  }
  if (reply.override_modes)
    write_override(*reply.override_modes, *response.mutable_mode_override());
  switch (reply.part) {
    case HttpPart::kRequestHeaders:
      return write_common(reply, *response.mutable_request_headers()->mutable_response());
    case HttpPart::kRequestBody:
      return write_common(reply, *response.mutable_request_body()->mutable_response());
    case HttpPart::kRequestTrailers:
      response.mutable_request_trailers();
      return;
    case HttpPart::kResponseHeaders:
      return write_common(reply, *response.mutable_response_headers()->mutable_response());
    case HttpPart::kResponseBody:
      return write_common(reply, *response.mutable_response_body()->mutable_response());
    case HttpPart::kResponseTrailers:
      response.mutable_response_trailers();
      return;
    case HttpPart::kUnknown:
      return;
  }
}

void write_immediate(ImmediateReply reply, ext_proc::ImmediateResponse& immediate) {
  immediate.mutable_status()->set_code(reply.status);
  HeaderEdits edits;
  edits.set = std::move(reply.headers);
  write_headers(std::move(edits), *immediate.mutable_headers());
  immediate.set_body(std::move(reply.body));
  immediate.set_details(std::move(reply.details));
}

std::string source_address(const ext_proc::ProcessingRequest& request) {
  const auto attributes = request.attributes().find(kAttributes);
  if (attributes == request.attributes().end()) return {};
  const auto address = attributes->second.fields().find("source.address");
  return address == attributes->second.fields().end() ? std::string()
                                                      : address->second.string_value();
}

}  // namespace

ProxyMessage read_message(ext_proc::ProcessingRequest& request) {
  ProxyMessage message;
  message.observed = request.observability_mode();
  if (request.has_protocol_config()) {
    const auto& config = request.protocol_config();
    message.modes = BodyModes{
        .request = body_mode(config.request_body_mode()),
        .response = body_mode(config.response_body_mode()),
        .request_without_waiting = config.send_body_without_waiting_for_header_response()};
  }
  if (request.attributes_size() > 0) message.source_address = source_address(request);
  using Request = ext_proc::ProcessingRequest;
  switch (request.request_case()) {
    case Request::kRequestHeaders:
      read_headers_part(HttpPart::kRequestHeaders, *request.mutable_request_headers(), message);
      break;
    case Request::kResponseHeaders:
      read_headers_part(HttpPart::kResponseHeaders, *request.mutable_response_headers(), message);
      break;
    case Request::kRequestBody:
      read_body_part(HttpPart::kRequestBody, *request.mutable_request_body(), message);
      break;
    case Request::kResponseBody:
      read_body_part(HttpPart::kResponseBody, *request.mutable_response_body(), message);
      break;
    case Request::kRequestTrailers:
      read_trailers_part(HttpPart::kRequestTrailers, *request.mutable_request_trailers(), message);
      break;
    case Request::kResponseTrailers:
      read_trailers_part(HttpPart::kResponseTrailers, *request.mutable_response_trailers(),
                         message);
      break;
    case Request::REQUEST_NOT_SET:
      break;
  }
  return message;
}

void write_answer(ProxyAnswer answer, ext_proc::ProcessingResponse& response) {
  if (auto* reply = std::get_if<ProxyReply>(&answer)) {
    write_reply(std::move(*reply), response);
  } else {
    write_immediate(std::move(std::get<ImmediateReply>(answer)),
                    *response.mutable_immediate_response());
  }
}

}  // namespace signalbox::listener
