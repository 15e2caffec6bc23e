// What a door hands requests to. The pipeline implements it; the door knows nothing of routing.
#pragma once

#include "exchange/exchange.h"
#include "http/client_sink.h"
#include "net/loop.h"
#include "net/task.h"

namespace signalbox::listener {

class Handler {
 public:
  virtual ~Handler() = default;
  // Answers the request in exchange.client through `sink`: exactly one start(), then finish(). An answer that is
  // started and not finished closes the connection.
  // `client_gone` fires as soon as the client's connection closes, also while nothing is being written.
  virtual net::Task<void> handle(exchange::Exchange& exchange, http::ClientSink& sink,
                                 net::Cancellation& client_gone) = 0;
  // A request that could not even be read (bad head, body over the limit) was answered by the door.
  virtual void rejected(const Error& error) = 0;
};

}  // namespace signalbox::listener
