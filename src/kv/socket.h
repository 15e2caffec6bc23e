// ZeroMQ sockets with a lifetime (libzmq's C interface). A socket belongs to one thread at a time.
#pragma once

#include <zmq.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace signalbox::kv {

struct CloseContext {
  void operator()(void* context) const { zmq_ctx_term(context); }
};
using Context = std::unique_ptr<void, CloseContext>;
inline Context make_context() { return Context(zmq_ctx_new()); }

using Frames = std::vector<std::string>;

class Socket {
 public:
  Socket() = default;
  // ZMQ_SUB and so on. Never lingers: unsent messages are dropped with the socket.
  Socket(void* context, int type);

  bool open() const { return socket_ != nullptr; }
  void* get() const { return socket_.get(); }
  void set(int option, int value);
  // Of one frame that is received; kKvMessageBytesMax unless set. A peer that sends more is disconnected.
  void set_message_bytes_max(std::size_t bytes);
  // Errors: kIo, the message names the endpoint.
  Result<void> connect(const std::string& endpoint);
  // A port of 0 or * lets the system choose. Returns the endpoint bound to. Errors: kIo.
  Result<std::string> bind(const std::string& endpoint);
  void subscribe(const std::string& topic);
  // Events of the connection (ZMQ_EVENT_...), readable from the socket that is returned.
  Socket monitor(void* context, const std::string& name, int events);
  // A whole message, or nothing when none waits. More than `frames_max` frames are cut.
  std::optional<Frames> receive(std::size_t frames_max = 8);
  // False when it could not be queued.
  bool send(const std::vector<std::string_view>& frames);

 private:
  struct Close {
    void operator()(void* socket) const { zmq_close(socket); }
  };
  std::unique_ptr<void, Close> socket_;
};

}  // namespace signalbox::kv
