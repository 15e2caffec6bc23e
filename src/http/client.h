// HTTP/1.1 client of one core: connections to upstreams, kept alive between requests.
//
// A Lease owns one connection for one exchange. It goes back to the pool only after a complete response on a connection
// that both sides want to keep; in every other case it is closed. Nothing here retries: what a failure means for the
// request is for the caller to decide, with reused() and closed_while_idle() as the facts.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/limits.h"
#include "http/body.h"
#include "http/read_buffer.h"
#include "http/response_head.h"
#include "net/loop.h"
#include "net/network.h"
#include "net/stream.h"
#include "net/task.h"

namespace signalbox::http {

class ClientPool;

// One connection to an upstream; owned by a Lease or idle in the pool.
struct ClientConnection {
  net::Address address;
  std::unique_ptr<net::Stream> stream;
  ReadBuffer buffer;
  std::optional<BodyReader> body;  // of the response being read
  std::optional<net::Cancellation::Registration> registration;
  TimePoint idle_since;
  bool reused = false;            // has served an earlier exchange
  bool keep_alive = false;        // as the last response head said
  bool response_started = false;  // a byte of the response has arrived
  bool closed_while_idle = false;
  bool cancelled = false;
};

class Lease {
 public:
  Lease() = default;
  Lease(ClientPool* pool, std::unique_ptr<ClientConnection> connection);
  Lease(Lease&&) noexcept = default;
  Lease& operator=(Lease&& other) noexcept;
  ~Lease() { release(); }

  explicit operator bool() const { return connection_ != nullptr; }

  struct Wait {
    Deadline deadline = Deadline::none();  // of sending and of the response head
    bool to_head = false;                  // the request is a HEAD request
  };
  // Sends head and body parts (one sendmsg for up to kWritePartsMax of them), then reads the response head. Once per
  // lease; all views must live until it returns. The body is then read from body().
  // Errors: kUpstreamReset, kUpstreamTimeout, kUpstreamProtocol, kCancelled. An upstream that answers before it has
  // read the request and closes may be seen as kUpstreamReset.
  net::Task<Result<ResponseHead>> exchange(std::string_view head, net::WriteParts body_parts,
                                           Wait wait);

  // After a successful exchange.
  BodyReader& body() { return *connection_->body; }
  // The connection had served an earlier exchange.
  bool reused() const { return connection_ && connection_->reused; }
  // The exchange failed because a pooled connection turned out to be closed: no byte of a response came, and the
  // upstream most likely never read the request. The same request may be sent on a new connection.
  bool closed_while_idle() const { return connection_ && connection_->closed_while_idle; }
  // The Cancellation given to acquire() has fired; the connection is closed.
  bool cancelled() const { return connection_ && connection_->cancelled; }
  // Back to the pool if the response was read to its end and may be followed by another, else closed. Idempotent.
  void release();
  // Closes now, whatever was read.
  void close();

 private:
  net::Task<Result<void>> send(std::string_view head, net::WriteParts body_parts,
                               Deadline deadline);
  net::Task<Result<ResponseHead>> receive(Wait wait);
  Error failed(Error error);

  ClientPool* pool_ = nullptr;
  std::unique_ptr<ClientConnection> connection_;
};

class ClientPool {
 public:
  struct Options {
    std::size_t idle_per_endpoint_max = limits::kIdleConnectionsPerEndpointMax;
    Duration idle_timeout = limits::kUpstreamIdleTimeout;
  };
  // Loop and network must outlive the pool; the pool must outlive its leases.
  ClientPool(net::Loop& loop, net::Network& network, Options options);
  ClientPool(net::Loop& loop, net::Network& network) : ClientPool(loop, network, Options{}) {}
  ClientPool(const ClientPool&) = delete;
  ClientPool& operator=(const ClientPool&) = delete;
  ~ClientPool();

  // An idle connection that is not stale (the one used last), else a new one. `cancel`, which may be nullptr, closes the
  // connection for as long as the lease lives. Errors: as Network::dial.
  net::Task<Result<Lease>> acquire(net::Address address, Deadline deadline,
                                   net::Cancellation* cancel);
  // Always a new connection: after closed_while_idle().
  net::Task<Result<Lease>> dial(net::Address address, Deadline deadline, net::Cancellation* cancel);
  // An idle connection, or an empty lease. No I/O but the check whether it is stale.
  Lease take_idle(const net::Address& address, net::Cancellation* cancel);

  std::size_t idle_count() const { return idle_count_; }
  std::size_t leased_count() const { return leased_count_; }
  // Closes idle connections: all, for a drain, or those of one endpoint that is gone.
  void close_idle();
  void close_idle(const net::Address& address);
  net::Loop& loop() { return loop_; }

 private:
  friend class Lease;
  struct AddressHash {
    std::size_t operator()(const net::Address& address) const;
  };
  struct AddressEqual {
    bool operator()(const net::Address& a, const net::Address& b) const {
      return a.port == b.port && a.tls == b.tls && a.host == b.host;
    }
  };
  // Looks at idle connections while there are any.
  struct Sweep final : net::Timer {
    explicit Sweep(ClientPool& owner) : pool(owner) {}
    void expired() override { pool.sweep(); }
    ClientPool& pool;
  };
  using Idle = std::vector<std::unique_ptr<ClientConnection>>;  // used last at the back

  Lease lease(std::unique_ptr<ClientConnection> connection, net::Cancellation* cancel);
  void give_back(std::unique_ptr<ClientConnection> connection);
  void sweep();

  net::Loop& loop_;
  net::Network& network_;
  Options options_;
  std::unordered_map<net::Address, Idle, AddressHash, AddressEqual> idle_;
  std::size_t idle_count_ = 0;
  std::size_t leased_count_ = 0;
  Sweep sweep_;
};

}  // namespace signalbox::http
