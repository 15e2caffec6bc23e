#include "sim/server.h"

#include <utility>

#include "base/assert.h"
#include "sim/connection.h"

namespace signalbox::sim {

Server::Server(net::Loop& loop, EngineOptions options, std::uint64_t seed)
    : state_(loop, std::move(options), seed), connections_(loop) {}

Server::~Server() = default;

Result<void> Server::listen(const std::string& address, std::uint16_t port) {
  SBX_CHECK_OK(open_kv_events());
  SBX_TRY(acceptor_, net::listen(state_.loop, address, port, nullptr));
  acceptor_->start([this](std::unique_ptr<net::Stream> stream) { attach(std::move(stream)); });
  return {};
}

Result<void> Server::open_kv_events() {
  const EngineOptions& options = state_.engine.options();
  if (options.kv_endpoint.empty()) return {};
  SBX_TRY(kv_events_, kv::EventPublisher::open({.endpoint = options.kv_endpoint,
                                                .replay_endpoint = options.kv_replay_endpoint,
                                                .topic = {}}));
  state_.engine.on_kv_events([this](std::vector<kv::NamedEvent> events) {
    const auto now = std::chrono::duration<double>(state_.loop.clock().unix_time());
    kv_events_->publish(now.count(), events, state_.control.mute_kv_events);
  });
  return {};
}

void Server::attach(std::unique_ptr<net::Stream> stream) {
  if (state_.control.refuse) {
    stream->close();
    return;
  }
  connections_.spawn(serve(std::move(stream)));
}

net::Task<void> Server::serve(std::unique_ptr<net::Stream> stream) {
  Connection connection(state_, std::move(stream));
  open_.insert(&connection);
  co_await connection.run();
  open_.erase(&connection);
}

void Server::close() {
  if (acceptor_) acceptor_->close();
  for (Connection* connection : open_) connection->close();
}

Result<std::unique_ptr<Background>> Background::start(std::vector<EngineOptions> engines) {
  auto background = std::unique_ptr<Background>(new Background());
  for (auto& options : engines) {
    auto server = std::make_unique<Server>(*background->loop_, std::move(options));
    SBX_CHECK_OK(server->listen("127.0.0.1", 0));
    background->ports_.push_back(server->port());
    background->servers_.push_back(std::move(server));
  }
  background->stopping_ = std::make_unique<net::TaskGroup>(*background->loop_);
  background->thread_ = std::thread([loop = background->loop_.get()] { loop->run(); });
  return background;
}

net::Task<void> Background::stop() {
  for (auto& server : servers_) {
    server->close();
    co_await server->join();
  }
  loop_->post([this] { loop_->stop(); });
}

Background::~Background() {
  if (!thread_.joinable()) return;
  loop_->post([this] { stopping_->spawn(stop()); });
  thread_.join();
}

}  // namespace signalbox::sim
