// The HTTP door of one core: an acceptor, its connections, and an orderly end. Several doors on the same port (one a
// core, SO_REUSEPORT) share only the connection count.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>

#include "base/random.h"
#include "listener/http/connection.h"
#include "net/network.h"

namespace signalbox::listener {

// Open client connections of all doors of the process, and their bound.
struct ConnectionCount {
  std::atomic<std::uint64_t> open{0};
  std::atomic<std::uint64_t> max{limits::kConnectionsMax};
  std::atomic<std::uint64_t> refused{0};
};

class HttpDoor {
 public:
  // Everything outlives the door. `settings` is called on the loop's thread before each request.
  HttpDoor(net::Loop& loop, Handler& handler, SettingsSource settings, ConnectionCount& count)
      : loop_(loop),
        handler_(handler),
        settings_(std::move(settings)),
        count_(count),
        random_(entropy_seed()),
        connections_(loop) {}

  // Errors: kIo, kConfig (see net::listen).
  Result<void> open(const std::string& address, std::uint16_t port, const net::TlsServerFiles* tls);
  std::uint16_t port() const { return acceptor_ ? acceptor_->port() : 0; }
  // Accepts nothing more, lets requests under way finish until the deadline, then cuts. On the loop's thread.
  net::Task<void> drain(Deadline deadline);

 private:
  struct CutTimer;
  net::Task<void> serve(std::unique_ptr<net::Stream> stream);
  net::Task<void> refuse(std::unique_ptr<net::Stream> stream);

  net::Loop& loop_;
  Handler& handler_;
  SettingsSource settings_;
  ConnectionCount& count_;
  Random random_;
  http::DateCache dates_;
  std::unique_ptr<net::Acceptor> acceptor_;
  net::TaskGroup connections_;
  std::unordered_set<Connection*> live_;
  bool draining_ = false;
};

}  // namespace signalbox::listener
