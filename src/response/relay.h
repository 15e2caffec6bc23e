// Passes an upstream's response on to the client as it comes: one read, one write, nothing stored. An observer looks at
// the bytes on their way.
//
// What the client sees when the upstream breaks off after the head has gone out:
//   event stream   an error event in the client's API shape, then the orderly end of the stream, without [DONE]. If the
//                  engine died inside a frame that was already passed on in part, an empty line closes that frame first.
//   anything else  the connection is closed before the announced end, so that the loss cannot be taken for an answer
#pragma once

#include <functional>
#include <string>

#include "base/clock.h"
#include "base/error.h"
#include "base/limits.h"
#include "exchange/exchange.h"
#include "http/client.h"
#include "http/client_sink.h"
#include "http/headers.h"
#include "http/response_head.h"
#include "net/task.h"
#include "response/observer.h"

namespace signalbox::response {

struct RelayOptions {
  exchange::Endpoint endpoint = exchange::Endpoint::kOther;  // shape of the error event
  std::string request_id;
  Duration idle_timeout = limits::kStreamIdleTimeout;  // between two reads of the body
  Deadline total = Deadline::none();
  // Makes the engine's head the client's, after the hop-by-hop fields are gone.
  std::function<void(http::Headers&)> edit_head = [](http::Headers&) {};
};

// After lease->exchange(): `head` is its result. The lease is released when the body is complete and closed when it is
// not; pointers must outlive the task. Bodies that are no event stream are started with their first piece.
// Errors: kUpstreamReset, kUpstreamTimeout, kUpstreamProtocol (sink->started() tells whether another attempt is possible);
// kCancelled when the client is gone.
net::Task<Result<void>> relay(http::Lease* lease, http::ResponseHead head, http::ClientSink* sink,
                              Observer* observer, const Clock* clock, RelayOptions options);

}  // namespace signalbox::response
