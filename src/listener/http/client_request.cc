#include "listener/http/client_request.h"

#include <algorithm>

#include "base/ids.h"
#include "base/text.h"
#include "telemetry/trace.h"

namespace signalbox::listener {
namespace {

constexpr std::size_t kRequestIdCharsMax = 128;

bool is_plain_id(std::string_view id) {
  return !id.empty() && id.size() <= kRequestIdCharsMax &&
         std::all_of(id.begin(), id.end(),
                     [](char c) { return c > 0x20 && c < 0x7f && c != '"' && c != '\\'; });
}

// Request headers of the replaced systems that clients are meant to send.
constexpr Words kClientMaySend = {"x-vsr-debug", "x-vsr-skip-processing", "x-vsr-cache-control",
                                  "x-vsr-compression-control"};

}  // namespace

bool is_internal_header(std::string_view name) {
  if (starts_with_ignore_case(name, "x-signalbox-")) return true;
  if (equal_ignore_case(name, "x-selected-model") ||
      equal_ignore_case(name, "x-gateway-destination-endpoint")) {
    return true;
  }
  return starts_with_ignore_case(name, "x-vsr-") && !kClientMaySend.contains(name);
}

exchange::ClientRequest make_client_request(http::RequestHead head, Random& random,
                                            TimePoint received_at) {
  exchange::ClientRequest client;
  client.method = std::move(head.method);
  client.path = std::move(head.path);
  client.query = std::move(head.query);
  client.headers = std::move(head.headers);
  client.received_at = received_at;
  client.handed_on = client.headers.get(kHandedOnHeader).substr(0, limits::kHandedOnBytesMax);
  client.headers.remove_if(
      [](const http::Headers::Field& field) { return is_internal_header(field.name); });

  const std::string_view offered = client.headers.get("x-request-id");
  client.request_id = is_plain_id(offered) ? std::string(offered) : random_hex(random, 2);
  if (const auto context = telemetry::parse_traceparent(client.headers.get("traceparent"))) {
    client.trace_id = telemetry::to_hex(context->trace_id);
    client.parent_span_id = telemetry::to_hex(context->span_id);
    client.trace_sampled = context->sampled;
  } else {
    client.trace_id = random_hex(random, 2);
  }
  client.span_id = random_hex(random, 1);
  return client;
}

exchange::Identity take_identity(exchange::ClientRequest& client, const IdentityHeaders& names) {
  exchange::Identity identity;
  if (client.peer_trusted) {
    identity.user = std::string(client.headers.get(names.user));
    for (const auto group : split(client.headers.get(names.groups), ','))
      identity.groups.emplace_back(group);
    return identity;
  }
  client.headers.remove(names.user);
  client.headers.remove(names.groups);
  return identity;
}

}  // namespace signalbox::listener
