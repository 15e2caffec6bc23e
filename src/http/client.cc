#include "http/client.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/assert.h"
#include "base/hash.h"

namespace signalbox::http {
namespace {

// The connection can carry another request after this one.
bool reusable(const ClientConnection& connection) {
  return connection.keep_alive && !connection.cancelled && connection.body &&
         connection.body->done() && connection.buffer.empty() && connection.stream->is_open();
}

}  // namespace

Lease::Lease(ClientPool* pool, std::unique_ptr<ClientConnection> connection)
    : pool_(pool), connection_(std::move(connection)) {}

Lease& Lease::operator=(Lease&& other) noexcept {
  if (this != &other) {
    release();
    pool_ = other.pool_;
    connection_ = std::move(other.connection_);
  }
  return *this;
}

void Lease::release() {
  if (!connection_) return;
  connection_->registration.reset();
  --pool_->leased_count_;
  if (reusable(*connection_)) {
    pool_->give_back(std::move(connection_));
  } else {
    connection_->stream->close();
    connection_.reset();
  }
}

void Lease::close() {
  if (connection_) connection_->keep_alive = false;
  release();
}

// Turns the failure of a stream operation into that of the exchange.
Error Lease::failed(Error error) {
  error = stream_error(std::move(error), Side::kUpstream);
  if (connection_->cancelled) return {Code::kCancelled, "cancelled", {}};
  connection_->closed_while_idle =
      error.code == Code::kUpstreamReset && connection_->reused && !connection_->response_started;
  return error;
}

net::Task<Result<void>> Lease::send(std::string_view head, net::WriteParts body_parts,
                                    Deadline deadline) {
  std::array<std::string_view, net::kWritePartsMax> parts;
  std::size_t count = 0;
  parts[count++] = head;
  std::size_t next = 0;
  do {
    while (next < body_parts.size() && count < parts.size()) parts[count++] = body_parts[next++];
    auto written = co_await connection_->stream->write_all({parts.data(), count}, deadline);
    if (!written) co_return std::unexpected(failed(std::move(written).error()));
    count = 0;
  } while (next < body_parts.size());
  co_return Result<void>{};
}

net::Task<Result<ResponseHead>> Lease::receive(Wait wait) {
  ClientConnection& connection = *connection_;
  HeadScan scan;
  while (true) {
    auto count = co_await connection.stream->read_some(connection.buffer, wait.deadline);
    if (!count) co_return std::unexpected(failed(std::move(count).error()));
    if (*count == 0) co_return std::unexpected(failed(truncated(Side::kUpstream)));
    connection.response_started = true;
    connection.buffer.commit(*count);
    SBX_CO_TRY(auto head, parse_response_head(connection.buffer.data(), scan, wait.to_head));
    if (!head) continue;
    connection.buffer.consume(head->head_bytes);
    connection.keep_alive = head->keep_alive;
    connection.body.emplace(*connection.stream, connection.buffer, head->body, Side::kUpstream);
    co_return std::move(*head);
  }
}

net::Task<Result<ResponseHead>> Lease::exchange(std::string_view head, net::WriteParts body_parts,
                                                Wait wait) {
  SBX_ASSERT(connection_ && !connection_->body);
  if (connection_->cancelled) co_return fail(Code::kCancelled, "cancelled");
  SBX_CO_CHECK_OK(co_await send(head, body_parts, wait.deadline));
  co_return co_await receive(wait);
}

ClientPool::ClientPool(net::Loop& loop, net::Network& network, Options options)
    : loop_(loop), network_(network), options_(options), sweep_(*this) {}

ClientPool::~ClientPool() { SBX_ASSERT(leased_count_ == 0); }

std::size_t ClientPool::AddressHash::operator()(const net::Address& address) const {
  return hash64(address.host,
                static_cast<std::uint64_t>(address.port) << 1 | (address.tls ? 1 : 0));
}

Lease ClientPool::lease(std::unique_ptr<ClientConnection> connection, net::Cancellation* cancel) {
  ++leased_count_;
  ClientConnection* borrowed = connection.get();
  if (cancel != nullptr) {
    borrowed->registration.emplace(*cancel, [borrowed] {
      borrowed->cancelled = true;
      borrowed->stream->close();
    });
  }
  return {this, std::move(connection)};
}

Lease ClientPool::take_idle(const net::Address& address, net::Cancellation* cancel) {
  const auto found = idle_.find(address);
  if (found == idle_.end()) return {};
  auto& idle = found->second;
  std::unique_ptr<ClientConnection> connection;
  while (!idle.empty() && !connection) {
    connection = std::move(idle.back());
    idle.pop_back();
    --idle_count_;
    const bool expired = loop_.now() - connection->idle_since >= options_.idle_timeout;
    if (expired || connection->stream->stale()) connection.reset();
  }
  if (!connection) return {};
  connection->reused = true;
  connection->response_started = false;
  return lease(std::move(connection), cancel);
}

net::Task<Result<Lease>> ClientPool::acquire(net::Address address, Deadline deadline,
                                             net::Cancellation* cancel) {
  Lease idle = take_idle(address, cancel);
  if (idle) co_return idle;
  co_return co_await dial(std::move(address), deadline, cancel);
}

net::Task<Result<Lease>> ClientPool::dial(net::Address address, Deadline deadline,
                                          net::Cancellation* cancel) {
  auto connection = std::make_unique<ClientConnection>();
  connection->address = address;
  SBX_CO_TRY(connection->stream, co_await network_.dial(std::move(address), deadline, cancel));
  co_return lease(std::move(connection), cancel);
}

void ClientPool::give_back(std::unique_ptr<ClientConnection> connection) {
  auto& idle = idle_[connection->address];
  if (idle.size() >= options_.idle_per_endpoint_max) return;
  connection->body.reset();
  connection->buffer.release();
  connection->idle_since = loop_.now();
  idle.push_back(std::move(connection));
  ++idle_count_;
  if (!sweep_.armed()) loop_.arm(sweep_, Deadline::after(loop_.now(), options_.idle_timeout));
}

void ClientPool::sweep() {
  const TimePoint now = loop_.now();
  idle_count_ = 0;
  for (auto at = idle_.begin(); at != idle_.end();) {
    std::erase_if(at->second, [&](const auto& connection) {
      return now - connection->idle_since >= options_.idle_timeout || connection->stream->stale();
    });
    idle_count_ += at->second.size();
    at = at->second.empty() ? idle_.erase(at) : std::next(at);
  }
  if (idle_count_ > 0) loop_.arm(sweep_, Deadline::after(now, options_.idle_timeout));
}

void ClientPool::close_idle() {
  idle_.clear();
  idle_count_ = 0;
}

void ClientPool::close_idle(const net::Address& address) {
  const auto found = idle_.find(address);
  if (found == idle_.end()) return;
  idle_count_ -= found->second.size();
  idle_.erase(found);
}

}  // namespace signalbox::http
