// One stream of Envoy (one HTTP exchange) as the session sees it: a gRPC call in production, a script in tests.
#pragma once

#include <optional>
#include <string>

#include "base/error.h"
#include "listener/extproc/message.h"

namespace signalbox::listener {

// Called on the session's loop. Nothing may be called after finish(); the link may be gone then.
class ProxyLink {
 public:
  virtual ~ProxyLink() = default;
  // Asks for the next message: Conversation::deliver or closed follows, once, on the loop. The first one comes unasked.
  virtual void want() = 0;
  // In order; never blocks. What waits to be written is bounded by one exchange's bodies.
  virtual void send(ProxyAnswer answer) = 0;
  // Ends the stream after what was sent, well or with an error; once.
  virtual void finish(std::optional<Error> error) = 0;
  // IP literal of Envoy.
  virtual std::string peer_address() const = 0;
};

}  // namespace signalbox::listener
