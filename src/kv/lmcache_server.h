// The controller that LMCache's workers connect to: one thread with a PULL socket for what needs no answer, a ROUTER for
// what does (workers of 0.3 ask with REQ, of 0.5 with DEALER), and a ROUTER of its own for heartbeats. An address that
// cannot be listened on is tried again at every check: a router without it is worse informed, not dead.
//
// Bounds: kKvReceiveQueueMax messages wait in a socket, a frame has at most kLmcacheMessageBytesMax, a message
// kLmcacheFramesMax frames (more are passed over and counted); the registry has its own.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "kv/lmcache_registry.h"

namespace signalbox::kv::lmcache {

struct ServerOptions {
  std::string pull;       // tcp://HOST:PORT, HOST * for all addresses, PORT * for any free one
  std::string reply;      // empty: not open
  std::string heartbeat;  // empty: not open
  Duration worker_timeout = std::chrono::seconds(30);
  Duration check_interval = std::chrono::seconds(5);
  // Host by which a worker of that address reaches this one.
  std::function<std::string(const std::string& ip)> own_host;
};

// Messages by what became of them, for metrics. Called on the server's thread.
class Watcher {
 public:
  virtual ~Watcher() = default;
  virtual void received(bool understood) = 0;
  // At every check, and soon after something changed.
  virtual void checked(const Registry& registry) = 0;
};

class Server {
 public:
  // Tries to listen at once; the thread runs from here on. `listener` and `watcher` outlive this, and are called on it.
  Server(ServerOptions options, Listener& listener, Watcher& watcher);
  ~Server();  // ends the thread
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Addresses as bound by the constructor; empty where that failed or none was asked for.
  const std::string& pull() const;
  const std::string& reply() const;
  const std::string& heartbeat() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace signalbox::kv::lmcache
