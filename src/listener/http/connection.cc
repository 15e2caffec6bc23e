#include "listener/http/connection.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <utility>

#include "api/error_body.h"
#include "http/chunked.h"
#include "listener/http/http_sink.h"

namespace signalbox::listener {
namespace {

// One read of heads and chunked bodies; long bodies of known length are read straight into place.
constexpr std::size_t kReadBytes = 8 << 10;
// Room made for a body before its bytes come; a client that announces 64 MiB and sends nothing gets no more.
constexpr std::size_t kBodyReserveBytes = 1 << 20;
// Unread request bytes swallowed after an early error, so that the client reads the answer instead of a reset.
constexpr std::size_t kLingerBytesMax = 1 << 20;
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
  filled_before_ = buffer_.size();
  buffer_.resize_and_overwrite(filled_before_ + kReadBytes,
                               [](char*, std::size_t size) { return size; });
  stream_.start_read(std::span(buffer_).subspan(filled_before_), deadline, *this);
}

void ClientInput::complete(Result<std::size_t> result) {
  pending_ = false;
  buffer_.resize(filled_before_ + (result ? *result : 0));
  if (!result || *result == 0) ended_ = !timed_out_;
  if (ended_ && gone_ != nullptr) std::exchange(gone_, nullptr)->cancel();
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
      auto head = http::parse_request_head(input_.buffer(), scan);
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

net::Task<Result<std::string>> Connection::read_length(std::uint64_t length,
                                                       const ConnectionSettings& settings) {
  std::string& buffer = input_.buffer();
  std::string body;
  body.reserve(std::min<std::uint64_t>(length, kBodyReserveBytes));
  const std::size_t at_hand = std::min<std::uint64_t>(length, buffer.size());
  body.assign(buffer, 0, at_hand);
  buffer.erase(0, at_hand);
  while (body.size() < length) {
    const std::size_t have = body.size();
    const std::size_t room =
        std::min<std::uint64_t>(length - have, std::max(kBodyReserveBytes, have));
    // Straight into the body: no second copy of a long prompt.
    body.resize_and_overwrite(have + room, [](char*, std::size_t size) { return size; });
    const auto got = co_await stream_->read_some(
        std::span(body).subspan(have), Deadline::after(loop_.now(), settings.body_timeout));
    if (!got) {
      if (got.error().code == Code::kRequestTimeout)
        co_return fail(Code::kRequestTimeout, "request body too slow");
      co_return fail(Code::kCancelled, "client went away");
    }
    if (*got == 0) co_return fail(Code::kCancelled, "client closed before the end of its body");
    body.resize(have + *got);
  }
  co_return body;
}

net::Task<Result<std::string>> Connection::read_chunked(const ConnectionSettings& settings) {
  http::ChunkDecoder decoder(Code::kInvalidArgument);
  std::string body;
  for (;;) {
    std::string& buffer = input_.buffer();
    std::size_t consumed = 0;
    while (!decoder.done()) {
      auto step = decoder.next(std::string_view(buffer).substr(consumed));
      if (!step) co_return std::unexpected(std::move(step).error());
      if (step->consumed == 0) break;
      consumed += step->consumed;
      if (body.size() + step->payload.size() > settings.body_bytes_max) {
        co_return fail(Code::kPayloadTooLarge,
                       fmt::format("request body exceeds {} bytes", settings.body_bytes_max));
      }
      body.append(step->payload);
    }
    buffer.erase(0, consumed);
    if (decoder.done()) co_return body;
    input_.start(Deadline::after(loop_.now(), settings.body_timeout));
    auto more = co_await input_.wait();
    if (!more) co_return std::unexpected(std::move(more).error());
    if (!*more) co_return fail(Code::kCancelled, "client closed before the end of its body");
  }
}

net::Task<Result<std::string>> Connection::read_body(const http::RequestHead& head,
                                                     const ConnectionSettings& settings) {
  if (head.body.kind == http::Framing::kNone) co_return std::string{};
  if (head.body.kind == http::Framing::kLength && head.body.length > settings.body_bytes_max) {
    co_return fail(Code::kPayloadTooLarge, fmt::format("request body of {} bytes exceeds {}",
                                                       head.body.length, settings.body_bytes_max));
  }
  if (head.expect_continue && input_.buffer().empty()) {
    const std::array<std::string_view, 1> parts = {http::kContinue};
    const auto sent =
        co_await stream_->write_all(parts, Deadline::after(loop_.now(), settings.write_timeout));
    if (!sent) co_return fail(Code::kCancelled, "client went away");
  }
  if (head.body.kind == http::Framing::kLength)
    co_return co_await read_length(head.body.length, settings);
  co_return co_await read_chunked(settings);
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
  static_cast<void>(co_await sink.start(traits(error.code).http_status, headers, body.size()));
  static_cast<void>(co_await sink.write(body));
  static_cast<void>(co_await sink.finish());
  // Closing with unread bytes in the socket would reset it and the client might never see the answer.
  const Deadline deadline = Deadline::after(loop_.now(), kLingerTimeout);
  std::size_t swallowed = 0;
  std::string scratch(kReadBytes, '\0');
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
  exchange.client.peer_address = stream_->peer_address();
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
    input_.buffer().erase(0, (*head)->head_bytes);
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
