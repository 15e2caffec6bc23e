// Where a response goes: the client's side of a door, as the stages that produce responses see it. A door implements it;
// response/ relays into it; tests record with it. One sink per request, on the request's loop.
#pragma once

#include <string_view>

#include "base/error.h"
#include "http/headers.h"
#include "http/message_head.h"
#include "net/task.h"

namespace signalbox::http {

struct ResponseStart {
  int status = 200;
  Headers headers;  // end-to-end fields; the door adds framing, Date and Connection itself
  BodyFraming
      body;  // kNone, kLength or kChunked (of unknown length; a door may end an HTTP/1.0 answer by closing)
};

class ClientSink {
 public:
  virtual ~ClientSink() = default;

  // Sends the head together with the first piece of the body, which may be empty: then the head goes alone, at once.
  // Once per request. Errors of all three: kCancelled when the client is gone.
  virtual net::Task<Result<void>> start(ResponseStart head, std::string_view first) = 0;
  // Sends one piece, not empty. Returns when the socket has taken it: that is the back-pressure.
  virtual net::Task<Result<void>> write(std::string_view piece) = 0;
  // The body is complete. A sink that was started and is never finished has its connection closed by the door, so that
  // the client sees that something is missing.
  virtual net::Task<Result<void>> finish() = 0;
  // start() was called: it is too late for another attempt or another status.
  virtual bool started() const = 0;
};

}  // namespace signalbox::http
