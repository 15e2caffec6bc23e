// From a parsed head to exchange::ClientRequest: request id, trace context, identity, and what a client may not say.
// The one place where headers that only we and our own hops may set are stripped.
#pragma once

#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/random.h"
#include "exchange/exchange.h"
#include "http/request_head.h"

namespace signalbox::listener {

// Names of the trusted headers (configuration); values count only from trusted peers.
struct IdentityHeaders {
  std::string user;
  std::string groups;
};

// Between two Signalboxes (pipeline/hand_on.h): kept aside, and stripped like every internal header.
inline constexpr std::string_view kHandedOnHeader = "x-signalbox-handed-on";

// Headers a client must not set, whatever the generation: our own answers and hops between routers.
bool is_internal_header(std::string_view name);

// The client's own request id if it is short and printable, else 32 fresh hex digits. The trace context is the client's
// if it is well-formed (W3C Trace Context level 1), else new. Body, peer and deadline are the caller's.
exchange::ClientRequest make_client_request(http::RequestHead head, Random& random,
                                            TimePoint received_at);

// User and groups, and removal of the identity headers when the peer is not trusted.
exchange::Identity take_identity(exchange::ClientRequest& client, const IdentityHeaders& names);

}  // namespace signalbox::listener
