// A Network without sockets: tests say who listens where, how long a connect takes and whether it fails.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "net/network.h"
#include "net/testing/fake_stream.h"

namespace signalbox::net_testing {

class FakeNetwork final : public net::Network {
 public:
  explicit FakeNetwork(net::Loop& loop) : loop_(loop) {}

  // "host:port" (net::to_string) answers dials with the stream made by `accept`.
  using Accept = std::function<Result<std::unique_ptr<net::Stream>>()>;
  void listen(const std::string& address, Accept accept) {
    listeners_[address] = std::move(accept);
  }
  // Dials of this address get one end of a pair; the other end goes to `serve`.
  void serve(const std::string& address, std::function<void(std::unique_ptr<net::Stream>)> serve);
  // Each dial of this address gives a scripted peer, kept in peers() in order; `script` may be empty.
  void script(const std::string& address, std::function<void(FakePeer&)> script);
  void stop_listening(const std::string& address) { listeners_.erase(address); }
  void set_connect_time(Duration time) { connect_time_ = time; }

  net::Task<Result<std::unique_ptr<net::Stream>>> dial(net::Address address, Deadline deadline,
                                                       net::Cancellation* cancel) override;
  std::size_t dials() const { return dials_; }
  FakePeer& peer(std::size_t index) { return *peers_.at(index); }
  std::size_t peer_count() const { return peers_.size(); }

 private:
  net::Loop& loop_;
  std::map<std::string, Accept> listeners_;
  std::vector<std::unique_ptr<FakePeer>> peers_;
  Duration connect_time_{};
  std::size_t dials_ = 0;
};

}  // namespace signalbox::net_testing
