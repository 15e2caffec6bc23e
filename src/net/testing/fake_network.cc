#include "net/testing/fake_network.h"

#include <algorithm>
#include <utility>

namespace signalbox::net_testing {

void FakeNetwork::serve(const std::string& address,
                        std::function<void(std::unique_ptr<net::Stream>)> serve) {
  listen(address, [this, serve = std::move(serve)]() -> Result<std::unique_ptr<net::Stream>> {
    auto [client, server] = make_stream_pair(loop_);
    serve(std::move(server));
    return std::move(client);
  });
}

void FakeNetwork::script(const std::string& address, std::function<void(FakePeer&)> script) {
  listen(address, [this, script = std::move(script)]() -> Result<std::unique_ptr<net::Stream>> {
    auto [stream, peer] = make_fake_stream(loop_);
    peers_.push_back(std::make_unique<FakePeer>(peer));
    if (script) script(*peers_.back());
    return std::move(stream);
  });
}

net::Task<Result<std::unique_ptr<net::Stream>>> FakeNetwork::dial(net::Address address,
                                                                  Deadline deadline,
                                                                  net::Cancellation* cancel) {
  ++dials_;
  const auto connected = Deadline::after(loop_.now(), connect_time_);
  if (connect_time_ > Duration::zero()) co_await loop_.sleep_until(connected.sooner(deadline));
  if (cancel != nullptr && cancel->cancelled()) co_return fail(Code::kCancelled, "cancelled");
  if (deadline.time() < connected.time())
    co_return fail(Code::kUpstreamTimeout, "connect timed out");
  const auto listener = listeners_.find(net::to_string(address));
  if (listener == listeners_.end()) co_return fail(Code::kUpstreamConnect, "connection refused");
  co_return listener->second();
}

}  // namespace signalbox::net_testing
