// Connections in and out. Network is what a stage may ask of the outside world; the production one is sockets with TLS
// and DNS, a simulation has its own.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/error.h"
#include "net/loop.h"
#include "net/stream.h"
#include "net/task.h"

namespace signalbox::net {

// Not an aggregate on purpose: g++ 12 copies braced aggregate temporaries bytewise into coroutine frames (a short
// std::string inside then points into the dead temporary), so types passed to coroutines have constructors.
struct Address {
  Address() = default;
  Address(std::string host_name, std::uint16_t port_number, bool use_tls)
      : host(std::move(host_name)), port(port_number), tls(use_tls) {}
  std::string host;  // name or IP literal, IPv6 without brackets
  std::uint16_t port = 0;
  bool tls = false;  // verify against the system's trust store, SNI = host
};

// host:port with IPv6 literals in brackets, for log lines and Host headers.
std::string to_string(const Address& address);

class Network {
 public:
  virtual ~Network() = default;
  // Resolves and connects; tries the addresses of a name in order within the deadline.
  // Errors: kUpstreamConnect (refused, unreachable, name unknown, TLS failure: the message says which),
  // kUpstreamTimeout, kCancelled. `cancel` may be nullptr.
  virtual Task<Result<std::unique_ptr<Stream>>> dial(Address address, Deadline deadline,
                                                     Cancellation* cancel) = 0;
};

std::unique_ptr<Network> make_network(Loop& loop);

struct TlsServerFiles {
  std::string certificate_file;  // PEM chain
  std::string key_file;          // PEM
};

// A listening socket on one loop. Several loops listen on the same port with SO_REUSEPORT.
class Acceptor {
 public:
  virtual ~Acceptor() = default;
  virtual std::uint16_t port() const = 0;  // the bound one, when 0 was asked for
  // Calls on_connection on the loop's thread for each connection (after the TLS handshake) until closed.
  virtual void start(std::function<void(std::unique_ptr<Stream>)> on_connection) = 0;
  virtual void close() = 0;
};

// address: IP literal; "::" listens on both families. Errors: kIo (in use, not allowed), kConfig (certificate).
Result<std::unique_ptr<Acceptor>> listen(Loop& loop, const std::string& address, std::uint16_t port,
                                         const TlsServerFiles* tls);

// Calls fn on the loop's thread when the process gets SIGTERM or SIGINT (terminate = true) or SIGHUP (false).
class SignalWatch {
 public:
  virtual ~SignalWatch() = default;
};
std::unique_ptr<SignalWatch> watch_signals(Loop& loop, std::function<void(bool terminate)> fn);

}  // namespace signalbox::net
