// The other way to an engine: a proxy carries the request, and we tell it what to send and look at what comes back. The
// ExtProc door implements Carrier over Envoy; the pipeline uses it in the place of its own upstream connections.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/error.h"
#include "exchange/exchange.h"
#include "http/client_sink.h"
#include "http/headers.h"
#include "http/response_head.h"
#include "net/loop.h"
#include "net/task.h"

namespace signalbox::listener {

// The request as the engine shall see it.
struct Carried {
  http::Headers headers;  // all of them; the door works out what changed
  std::string body;
  bool body_changed = false;
  std::string target;       // path and query, where they differ from the client's; else empty
  std::string destination;  // "host:port" of the replica, an IP literal; empty: no hint
};

// What has to be seen of an answer.
enum class Watch : std::uint8_t {
  kPieces,  // each piece as it comes
  kWhole,   // one piece at the end will do
  kNothing,
};

class Carrier {
 public:
  struct Piece {
    std::string_view bytes;  // valid until the next read()
    bool last = false;       // the answer is over with it
  };

  virtual ~Carrier() = default;
  // Hands the request over; resumes with the head of the engine's answer, or with nothing if the proxy does not show
  // it. Once. Errors: kCancelled (the client or the proxy is gone), kUpstreamTimeout.
  virtual net::Task<Result<std::optional<http::ResponseHead>>> send(Carried request) = 0;
  // Lets the answer go on with these headers. Once, after a head came.
  virtual void start(http::Headers headers, Watch watch) = 0;
  // The next piece of the answer. Not after the last one. Errors as send().
  virtual net::Task<Result<Piece>> read() = 0;
  // What goes on in the place of the piece read last, once for each; the piece itself where `bytes` is what read() gave.
  virtual void pass(std::string_view bytes) = 0;
};

// What a door of this kind hands requests to.
class ProxyHandler {
 public:
  virtual ~ProxyHandler() = default;
  // False: a request to this path (without a query) is none of ours and passes untouched. From any thread.
  virtual bool concerns(std::string_view path) const = 0;
  // Either answers through `sink` or hands over to `carrier`, as Handler::handle does otherwise.
  virtual net::Task<void> handle_carried(exchange::Exchange& exchange, http::ClientSink& sink,
                                         Carrier& carrier, net::Cancellation& client_gone) = 0;
  // The body could not be read (over the limit, cut off) and the door answers itself.
  virtual void rejected(const Error& error) = 0;
};

}  // namespace signalbox::listener
