// Where an answer goes: the client's side of an exchange as the pipeline sees it. A door implements it (HTTP/1.1 with
// whatever framing the client can take; ExtProc as immediate response); tests record it.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/error.h"
#include "http/headers.h"
#include "net/task.h"

namespace signalbox::exchange {

class ClientSink {
 public:
  virtual ~ClientSink() = default;
  // Head of the answer, once. `body_bytes` is its exact length when known; otherwise the body ends with finish().
  // Content-Length, Transfer-Encoding, Connection and Date are the sink's own business and ignored in `headers`.
  // The head may be held back until the first write() so that both leave in one system call.
  virtual net::Task<Result<void>> start(int status, const http::Headers& headers,
                                        std::optional<std::uint64_t> body_bytes) = 0;
  // A piece of the body, sent at once. Errors: kCancelled when the client is gone.
  virtual net::Task<Result<void>> write(std::string_view piece) = 0;
  // The body is complete.
  virtual net::Task<Result<void>> finish() = 0;
  // The body cannot be completed: the client must be able to tell (the connection closes without the end of the body).
  virtual void abort() = 0;
  // start() has been called: the status can no longer change and nothing may be retried.
  virtual bool started() const = 0;
};

}  // namespace signalbox::exchange
