#include "listener/http/door.h"

#include <utility>
#include <vector>

#include "api/error_body.h"
#include "listener/http/http_sink.h"

namespace signalbox::listener {
namespace {

constexpr std::chrono::seconds kRefuseTimeout{1};

}  // namespace

Result<void> HttpDoor::open(const std::string& address, std::uint16_t port,
                            const net::TlsServerFiles* tls) {
  SBX_TRY(acceptor_, net::listen(loop_, address, port, tls));
  acceptor_->start([this](std::unique_ptr<net::Stream> stream) {
    if (draining_) return;
    const std::uint64_t open = count_.open.fetch_add(1, std::memory_order_relaxed) + 1;
    if (open > count_.max.load(std::memory_order_relaxed)) {
      count_.refused.fetch_add(1, std::memory_order_relaxed);
      connections_.spawn(refuse(std::move(stream)));
    } else {
      connections_.spawn(serve(std::move(stream)));
    }
  });
  return {};
}

net::Task<void> HttpDoor::serve(std::unique_ptr<net::Stream> stream) {
  Connection connection(std::move(stream), loop_, handler_, random_, dates_);
  live_.insert(&connection);
  co_await connection.serve(settings_);
  live_.erase(&connection);
  count_.open.fetch_sub(1, std::memory_order_relaxed);
}

net::Task<void> HttpDoor::refuse(std::unique_ptr<net::Stream> stream) {
  // A real answer, once, cheaply; the client may be one of thousands.
  const Error error{.code = Code::kOverloaded,
                    .message = "too many connections: signalbox.limits.connections_max is reached",
                    .param = {}};
  const std::string body = api::openai_error(error);
  http::Headers headers;
  headers.add("Content-Type", "application/json");
  headers.add("Retry-After", "1");
  const HttpSink::Client client{.version_minor = 1, .keep_alive = false, .head_request = false};
  HttpSink sink(*stream, loop_, dates_, client, kRefuseTimeout);
  http::ResponseStart start;
  start.status = traits(error.code).http_status;
  start.headers = std::move(headers);
  start.body = {http::Framing::kLength, body.size()};
  static_cast<void>(co_await sink.start(std::move(start), body));
  static_cast<void>(co_await sink.finish());
  stream->close();
  count_.open.fetch_sub(1, std::memory_order_relaxed);
}

// Cuts what is still open when the drain deadline passes.
struct HttpDoor::CutTimer final : net::Timer {
  explicit CutTimer(HttpDoor& owner) : door(owner) {}
  void expired() override {
    const std::vector<Connection*> open(door.live_.begin(), door.live_.end());
    for (Connection* connection : open) connection->cut();
  }
  HttpDoor& door;
};

net::Task<void> HttpDoor::drain(Deadline deadline) {
  draining_ = true;
  if (acceptor_) acceptor_->close();
  const std::vector<Connection*> open(live_.begin(), live_.end());
  for (Connection* connection : open) connection->drain();
  CutTimer timer(*this);
  loop_.arm(timer, deadline);
  co_await connections_.join();
}

}  // namespace signalbox::listener
