#include "pipeline/core.h"

#include <utility>

namespace signalbox::pipeline {
namespace {

constexpr std::chrono::seconds kAccessLogFlushInterval{1};

}  // namespace

// Hands the access log on once a second, and counts what a slow reader cost.
struct Core::Flush final : net::Timer {
  explicit Flush(Core& owner) : core(owner) {}
  void expired() override {
    core.pipeline_.flush_access_log();
    core.loop_->arm(*this, Deadline::after(core.loop_->now(), kAccessLogFlushInterval));
  }
  Core& core;
};

Core::Core(Services& services)
    : services_(services),
      loop_(net::make_loop()),
      network_(net::make_network(*loop_)),
      pipeline_(services, *loop_, *network_),
      admin_(services),
      tasks_(*loop_),
      flush_(std::make_unique<Flush>(*this)) {}

Core::~Core() = default;

Result<std::uint16_t> Core::open_http(const config::HttpDoor& door, std::uint16_t port) {
  auto opened = std::make_unique<listener::HttpDoor>(
      *loop_, pipeline_, [this] { return pipeline_.connection_settings(); }, services_.connections);
  const net::TlsServerFiles tls{.certificate_file = door.tls.certificate_file,
                                .key_file = door.tls.key_file};
  SBX_CHECK_OK(opened->open(door.address, port, door.tls.enabled() ? &tls : nullptr));
  doors_.push_back(std::move(opened));
  return doors_.back()->port();
}

Result<std::uint16_t> Core::open_admin(const config::AdminDoor& door, std::uint16_t port) {
  auto opened = std::make_unique<listener::HttpDoor>(
      *loop_, admin_, [this] { return pipeline_.connection_settings(); }, services_.connections);
  SBX_CHECK_OK(opened->open(door.address, port, nullptr));
  doors_.push_back(std::move(opened));
  return doors_.back()->port();
}

void Core::start() {
  loop_->arm(*flush_, Deadline::after(loop_->now(), kAccessLogFlushInterval));
  thread_ = std::thread([this] { loop_->run(); });
}

net::Task<void> Core::finish(Deadline deadline) {
  // Doors one after the other: they share the deadline, so the order does not matter.
  for (auto& door : doors_) co_await door->drain(deadline);
  flush_->unlink();
  co_await pipeline_.close();
  pipeline_.flush_access_log();
  loop_->post([this] { loop_->stop(); });
}

void Core::drain(Deadline deadline) {
  loop_->post([this, deadline] { tasks_.spawn(finish(deadline)); });
}

void Core::join() {
  if (thread_.joinable()) thread_.join();
}

}  // namespace signalbox::pipeline
