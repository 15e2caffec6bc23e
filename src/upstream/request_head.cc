#include "upstream/request_head.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "base/text.h"
#include "http/message_head.h"
#include "http/message_writer.h"
#include "upstream/credentials.h"

namespace signalbox::upstream {
namespace {

constexpr std::string_view kKeySuffix = "-key";
constexpr std::array<std::string_view, 2> kInternalPrefixes = {"x-vsr-", "x-signalbox-"};

// Required by the Anthropic API ("Versions" in its reference); the only version there is.
constexpr std::string_view kAnthropicVersion = "anthropic-version";
constexpr std::string_view kAnthropicVersionDefault = "2023-06-01";

// Names that only gateways between the client and us may have meant for us; x-user-<provider>-key are credentials.
bool is_for_us(std::string_view name) {
  if (equal_ignore_case(name, "x-selected-model") ||
      equal_ignore_case(name, "x-gateway-destination-endpoint")) {
    return true;
  }
  if (starts_with_ignore_case(name, "x-user-") && name.size() > kKeySuffix.size() &&
      equal_ignore_case(name.substr(name.size() - kKeySuffix.size()), kKeySuffix)) {
    return true;
  }
  return std::ranges::any_of(kInternalPrefixes, [&](std::string_view prefix) {
    return name.size() > prefix.size() && starts_with_ignore_case(name, prefix);
  });
}

std::string host_of(const net::Address& address) {
  const bool standard = address.port == (address.tls ? 443 : 80);
  std::string host = net::to_string(address);
  if (standard) host.erase(host.rfind(':'));
  return host;
}

std::string traceparent_of(const HeadInputs& in) {
  std::string value = "00-";
  value.reserve(55);
  value.append(in.client.trace_id).append("-").append(in.span_id);
  value.append(in.client.trace_sampled.value_or(true) ? "-01" : "-00");
  return value;
}

}  // namespace

std::string request_target(const HeadInputs& in) {
  const bool chat = in.endpoint == exchange::Endpoint::kChatCompletions;
  std::string target = in.base_path;
  target += chat && !in.backend.chat_path.empty() ? in.backend.chat_path : in.client.path;
  // A base URL that ends in /v1 and a path that begins with it name the version once.
  if (in.base_path.ends_with("/v1") && in.client.path.starts_with("/v1/") &&
      !(chat && !in.backend.chat_path.empty())) {
    target = in.base_path + in.client.path.substr(3);
  }
  const auto add_query = [&](const std::string& query) {
    if (!query.empty()) target += (target.find('?') == std::string::npos ? '?' : '&') + query;
  };
  add_query(in.client.query);
  if (in.backend.provider == "azure-openai" && !in.backend.api_version.empty() &&
      target.find("api-version=") == std::string::npos) {
    add_query("api-version=" + in.backend.api_version);
  }
  return target;
}

http::Headers request_headers(const HeadInputs& in) {
  constexpr std::size_t kAddedFields = 8;
  constexpr std::size_t kAddedBytes = 512;
  http::Headers headers;
  headers.reserve(in.client.headers.fields().size() + kAddedFields,
                  in.client.headers.bytes() + kAddedBytes);
  headers = in.client.headers;  // into the room just made
  headers.remove_if([](const http::Headers::Field& field) { return is_for_us(field.name); });
  http::remove_hop_by_hop(headers);
  headers.set("accept-encoding", "identity");
  headers.set("x-request-id", in.client.request_id);
  headers.set("traceparent", traceparent_of(in));
  for (const auto& name : in.edits.headers_removed) headers.remove(name);
  for (const auto& [name, value] : in.edits.headers_set) headers.set(name, value);
  add_credentials(in.backend, headers);
  if (in.backend.provider == "anthropic" && !headers.has(kAnthropicVersion)) {
    headers.add(kAnthropicVersion, in.backend.api_version.empty()
                                       ? kAnthropicVersionDefault
                                       : std::string_view(in.backend.api_version));
  }
  return headers;
}

std::string request_head(const HeadInputs& in) {
  const http::Headers headers = request_headers(in);
  const http::BodyFraming body = in.body_bytes > 0
                                     ? http::BodyFraming{http::Framing::kLength, in.body_bytes}
                                     : http::BodyFraming{};
  std::string head;
  const std::string target = request_target(in);
  const std::string host = host_of(in.address);
  http::append_request_head(head, {.method = in.client.method, .target = target, .host = host},
                            headers, body);
  return head;
}

}  // namespace signalbox::upstream
