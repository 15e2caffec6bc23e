#include "listener/http/connection.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <utility>

#include "api/error_body.h"
#include "base/ids.h"
#include "http/body.h"
#include "listener/http/http_sink.h"

namespace signalbox::listener {
namespace {

// Unread request bytes swallowed after an early error, so that the client reads the answer instead of a reset.
constexpr std::size_t kLingerBytesMax = 1 << 20;
constexpr std::size_t kLingerReadBytes = 16 << 10;
constexpr std::chrono::seconds kLingerTimeout{2};

}  // namespace

void ClientInput::start(Deadline deadline) {
  if (ended_) return;
  if (pending_) {
    loop_.arm(*this, deadline);  // started ahead for another purpose, now waited for
    return;
  }
  pending_ = true;
  timed_out_ = false;
  stream_.start_read(buffer_, deadline, *this);
}

void ClientInput::complete(Result<std::size_t> result) {
  pending_ = false;
  if (result) buffer_.commit(*result);
  if (!result || *result == 0) ended_ = !timed_out_;
  if (ended_ && gone_ != nullptr) {
    // Nobody waits while a request is being answered, and cancelling may end this connection.
    std::exchange(gone_, nullptr)->cancel();
    return;
  }
  if (auto handle = std::exchange(waiting_, {})) handle.resume();
}

void ClientInput::expired() {
  timed_out_ = true;
  stream_.cancel();
}

net::Task<Result<bool>> ClientInput::wait() {
  struct Awaiter {
    ClientInput& input;
    bool await_ready() const { return !input.pending_; }
    void await_suspend(std::coroutine_handle<> handle) { input.waiting_ = handle; }
    void await_resume() const {}
  };
  co_await Awaiter{*this};
  if (timed_out_) co_return fail(Code::kRequestTimeout, "client too slow");
  co_return !ended_;
}

net::Task<void> ClientInput::stop() {
  gone_ = nullptr;
  if (!pending_) co_return;
  stream_.cancel();
  static_cast<void>(co_await wait());
}

void ClientInput::watch(net::Cancellation* gone) {
  gone_ = gone;
  if (gone != nullptr && ended_) std::exchange(gone_, nullptr)->cancel();
}

net::Task<Result<std::optional<http::RequestHead>>> Connection::read_head(
    const ConnectionSettings& settings) {
  http::HeadScan scan;
  Deadline deadline = Deadline::after(loop_.now(), settings.idle_timeout);
  bool begun = false;
  for (;;) {
    if (!input_.buffer().empty()) {
      auto head = http::parse_request_head(input_.buffer().data(), scan);
      if (!head) co_return std::unexpected(std::move(head).error());
      if (*head) co_return std::move(*head);
      if (!begun) {
        begun = true;
        idle_ = false;
        deadline = Deadline::after(loop_.now(), settings.head_timeout);
      }
    }
    input_.start(deadline);
    auto more = co_await input_.wait();
    if (!more) {
      // An idle connection that times out just closes; a half-sent head is told.
      if (!begun) co_return std::optional<http::RequestHead>{};
      co_return std::unexpected(std::move(more).error());
    }
    if (!*more) co_return std::optional<http::RequestHead>{};
  }
}

net::Task<Result<std::string>> Connection::read_body(const http::RequestHead& head,
                                                     const ConnectionSettings& settings) {
  if (head.body.kind == http::Framing::kNone) co_return std::string{};
  const bool too_large =
      head.body.kind == http::Framing::kLength && head.body.length > settings.body_bytes_max;
  // A client that waits for "100 Continue" is told of its too long body instead of being invited to send it.
  if (head.expect_continue && !too_large && input_.buffer().empty()) {
    const std::array<std::string_view, 1> parts = {http::kContinue};
    const auto sent =
        co_await stream_->write_all(parts, Deadline::after(loop_.now(), settings.write_timeout));
    if (!sent) co_return fail(Code::kCancelled, "client went away");
  }
  http::BodyReader reader(*stream_, input_.buffer(), head.body, http::Side::kClient);
  const http::BodyReader::Limits bounds{
      .bytes_max = settings.body_bytes_max,
      .idle = settings.body_timeout,
      .total = Deadline::after(loop_.now(), settings.total_timeout)};
  co_return co_await reader.read_all(&loop_.event_clock(), bounds);
}

net::Task<void> Connection::reject(const Error& error, const ConnectionSettings& settings,
                                   bool messages_api) {
  handler_.rejected(error);
  if (error.code == Code::kCancelled) co_return;
  const std::string request_id = random_hex(random_, 2);
  const std::string body =
      messages_api ? api::anthropic_error(error, request_id) : api::openai_error(error);
  http::Headers headers;
  headers.add("Content-Type", "application/json");
  headers.add("x-request-id", request_id);
  const HttpSink::Client client{.version_minor = 1, .keep_alive = false, .head_request = false};
  HttpSink sink(*stream_, loop_, dates_, client, settings.write_timeout);
  http::ResponseStart start;
  start.status = traits(error.code).http_status;
  start.headers = std::move(headers);
  start.body = {http::Framing::kLength, body.size()};
  static_cast<void>(co_await sink.start(std::move(start), body));
  static_cast<void>(co_await sink.finish());
  // Closing with unread bytes in the socket would reset it and the client might never see the answer.
  const Deadline deadline = Deadline::after(loop_.now(), kLingerTimeout);
  std::size_t swallowed = 0;
  std::string scratch(kLingerReadBytes, '\0');
  while (swallowed < kLingerBytesMax && !deadline.passed(loop_.now())) {
    const auto got = co_await stream_->read_some(scratch, deadline);
    if (!got || *got == 0) break;
    swallowed += *got;
  }
}

net::Task<bool> Connection::serve_request(http::RequestHead head,
                                          const ConnectionSettings& settings) {
  const TimePoint received_at = loop_.now();
  const HttpSink::Client client{.version_minor = head.version_minor,
                                .keep_alive = head.keep_alive && !draining_,
                                .head_request = head.method == "HEAD"};
  const bool messages_api = head.path.ends_with("/messages");
  auto body = co_await read_body(head, settings);
  if (!body) {
    co_await reject(body.error(), settings, messages_api);
    co_return false;
  }
  exchange::Exchange exchange;
  exchange.client = make_client_request(std::move(head), random_, received_at);
  exchange.client.body = *std::move(body);
  exchange.client.peer_address = peer_address_;
  exchange.client.peer_trusted = settings.trusted.contains(exchange.client.peer_address);
  exchange.client.deadline = Deadline::after(received_at, settings.total_timeout);
  exchange.identity = take_identity(exchange.client, settings.identity);

  HttpSink sink(*stream_, loop_, dates_, client, settings.write_timeout);
  net::Cancellation gone;
  if (input_.buffer().empty()) input_.start(Deadline::none());
  input_.watch(&gone);
  co_await handler_.handle(exchange, sink, gone);
  input_.watch(nullptr);
  co_return sink.reusable() && !draining_;
}

net::Task<void> Connection::serve(const SettingsSource& settings_now) {
  for (;;) {
    const auto settings = settings_now();
    idle_ = true;
    if (draining_) break;
    auto head = co_await read_head(*settings);
    idle_ = false;
    if (!head) {
      co_await input_.stop();
      co_await reject(head.error(), *settings, false);
      break;
    }
    if (!*head) break;
    input_.buffer().consume((*head)->head_bytes);
    if (!co_await serve_request(*std::move(*head), *settings)) break;
  }
  co_await input_.stop();
  stream_->close();
}

void Connection::drain() {
  draining_ = true;
  if (idle_) stream_->cancel();
}

void Connection::cut() { stream_->close(); }

}  // namespace signalbox::listener
