#include "listener/extproc/session.h"

#include <fmt/core.h>

#include <utility>

#include "api/error_body.h"
#include "base/ids.h"
#include "base/text.h"
#include "listener/extproc/header_edits.h"
#include "listener/http/client_request.h"

namespace signalbox::listener {
namespace {

constexpr std::string_view kIdentity = "identity";

// "127.0.0.1:4711", "[::1]:4711": the address alone.
std::string host_of(std::string_view address) {
  const auto colon = address.rfind(':');
  std::string_view host = colon == std::string_view::npos ? address : address.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  return std::string(host);
}

http::Headers without_pseudo(const http::Headers& headers) {
  http::Headers plain = headers;
  plain.remove_if([](const http::Headers::Field& field) {
    return field.name.empty() || field.name.front() == ':';
  });
  return plain;
}

ImmediateReply immediate(int status, const http::Headers& headers, std::string body) {
  ImmediateReply reply{.status = status, .headers = {}, .body = std::move(body), .details = {}};
  for (const auto& field : headers.fields()) {
    reply.headers.emplace_back(to_lower(field.name), field.value);
  }
  return reply;
}

}  // namespace

std::string_view session_end_name(SessionEnd end) {
  switch (end) {
    case SessionEnd::kCarried:
      return "carried";
    case SessionEnd::kAnswered:
      return "answered";
    case SessionEnd::kPassed:
      return "passed";
    case SessionEnd::kBroken:
      return "broken";
  }
  return "broken";
}

// An answer of ours: Envoy takes it as one message, so it is kept until it is complete.
class Session::Sink final : public http::ClientSink {
 public:
  explicit Sink(Session& session) : session_(session) {}

  net::Task<Result<void>> start(http::ResponseStart head, std::string_view first) override {
    head_ = std::move(head);
    body_ = first;
    co_return Result<void>{};
  }
  net::Task<Result<void>> write(std::string_view piece) override {
    body_ += piece;
    co_return Result<void>{};
  }
  net::Task<Result<void>> finish() override {
    session_.answered_ = true;
    auto reply = immediate(head_->status, head_->headers, std::move(body_));
    reply.details = "signalbox_" + std::string(head_->headers.get("x-vsr-response-path"));
    session_.talk_.say(std::move(reply));
    co_return Result<void>{};
  }
  // What Envoy was told to carry cannot be answered any more.
  bool started() const override { return head_.has_value() || session_.carried_; }

 private:
  Session& session_;
  std::optional<http::ResponseStart> head_;
  std::string body_;
};

net::Task<SessionEnd> Session::serve(const ConnectionSettings* settings) {
  settings_ = settings;
  auto first = co_await talk_.next(Deadline::after(loop_.now(), settings->head_timeout));
  SessionEnd end = SessionEnd::kBroken;
  if (first) {
    if (first->observed) talk_.mute();
    if (first->part == HttpPart::kRequestHeaders) {
      end = co_await serve_request(*std::move(first));
    } else {
      // The filter does not show request headers: there is nothing to judge.
      end = co_await pass_by(*std::move(first), {});
    }
  }
  talk_.end();
  std::optional<Error> error;
  if (end == SessionEnd::kBroken && !talk_.is_closed()) {
    error = Error{Code::kInvalidArgument, "messages out of order, or none in time", {}};
  }
  link_.finish(std::move(error));
  co_return end;
}

exchange::ClientRequest Session::read_client(const ProxyMessage& first) {
  http::RequestHead head;
  head.method = first.headers.get(":method");
  const std::string_view target = first.headers.get(":path");
  const auto query = target.find('?');
  head.path = target.substr(0, query);
  if (query != std::string_view::npos) head.query = target.substr(query + 1);
  head.headers = without_pseudo(first.headers);
  auto client = make_client_request(std::move(head), random_, loop_.now());
  const std::string envoy = link_.peer_address();
  client.peer_address = first.source_address.empty() ? envoy : host_of(first.source_address);
  client.peer_trusted = settings_->trusted.contains(envoy);
  client.deadline = Deadline::after(client.received_at, settings_->total_timeout);
  return client;
}

net::Task<SessionEnd> Session::serve_request(ProxyMessage first) {
  if (first.modes) modes_ = *first.modes;
  request_headers_ = first.headers;
  exchange::Exchange exchange;
  exchange.client = read_client(first);
  exchange.identity = take_identity(exchange.client, settings_->identity);
  stripped_ = header_edits(request_headers_, exchange.client.headers);
  const bool concerns =
      modes_.request != BodyMode::kGrpc && handler_.concerns(exchange.client.path);
  if (talk_.muted() || !concerns) {
    HeaderEdits stripped = stripped_;
    co_return co_await pass_by(std::move(first), std::move(stripped));
  }
  auto body = co_await read_body(&first);
  if (!body) {
    if (talk_.is_closed()) co_return SessionEnd::kBroken;
    reject(body.error(), exchange.client.path.ends_with("/messages"));
    co_return SessionEnd::kAnswered;
  }
  if (!*body) co_return co_await pass_by(*std::move(unread_), {});
  exchange.client.body = **std::move(body);
  co_return co_await handle(&exchange);
}

net::Task<SessionEnd> Session::handle(exchange::Exchange* exchange) {
  Sink sink(*this);
  co_await handler_.handle_carried(*exchange, sink, *this, talk_.gone());
  if (answered_) co_return SessionEnd::kAnswered;
  co_return carried_ ? SessionEnd::kCarried : SessionEnd::kBroken;
}

void Session::reject(const Error& error, bool messages_api) {
  handler_.rejected(error);
  const std::string request_id = random_hex(random_, 2);
  http::Headers headers;
  headers.add("content-type", "application/json");
  headers.add("x-request-id", request_id);
  auto body = messages_api ? api::anthropic_error(error, request_id) : api::openai_error(error);
  auto reply = immediate(traits(error.code).http_status, headers, std::move(body));
  reply.details = "signalbox_" + std::string(traits(error.code).label);
  talk_.say(std::move(reply));
}

// ---- the request

bool Session::in_pieces() const {
  return modes_.request == BodyMode::kFullDuplex ||
         (modes_.request == BodyMode::kStreamed && modes_.request_without_waiting);
}

net::Task<Result<std::optional<std::string>>> Session::read_body(const ProxyMessage* first) {
  std::string body;
  if (first->end_of_stream) co_return body;
  const auto announced = parse_uint(first->headers.get("content-length"));
  if (!first->answered && announced && *announced > settings_->body_bytes_max) {
    co_return fail(Code::kPayloadTooLarge, "request body over the limit");
  }
  if (first->answered) {
    held_ = Held::kNothing;
  } else if (!in_pieces()) {
    answer_headers_early();
  }
  for (;;) {
    auto message = co_await talk_.next(Deadline::after(loop_.now(), settings_->body_timeout));
    if (!message) co_return std::unexpected(std::move(message).error());
    if (message->part == HttpPart::kResponseHeaders) {
      unread_ = *std::move(message);
      co_return std::nullopt;
    }
    SBX_CO_TRY(const bool more, take_body(*std::move(message), &body));
    if (!more) co_return body;
  }
}

Result<bool> Session::take_body(ProxyMessage message, std::string* body) {
  if (message.part == HttpPart::kRequestTrailers) {
    request_trailers_ = true;
    if (held_ != Held::kNothing) return false;
    return fail(Code::kUnsupported, "request trailers cannot be read in this body mode");
  }
  if (message.part != HttpPart::kRequestBody) {
    return fail(Code::kInvalidArgument, "messages of the proxy are out of order");
  }
  if (body->size() + message.body.size() > settings_->body_bytes_max) {
    return fail(Code::kPayloadTooLarge, "request body over the limit");
  }
  if (body->empty()) {
    *body = std::move(message.body);
  } else {
    body->append(message.body);
  }
  if (held_ == Held::kHeaders) {
    ++pieces_unanswered_;
    if (message.end_of_stream) return false;
    const bool envoy_may_stop = modes_.request == BodyMode::kStreamed;
    if (envoy_may_stop && body->size() > limits::kExtProcHeldBytesMax) release_held_pieces();
    return true;
  }
  if (message.end_of_stream || modes_.request == BodyMode::kBuffered) {
    held_ = Held::kBody;
    return false;
  }
  if (modes_.request == BodyMode::kBufferedPartial) {
    return fail(Code::kPayloadTooLarge, "request body over the proxy's buffer limit");
  }
  // Envoy streams and does not change its mode: pieces go on empty, the whole body goes in the place of the last one.
  clear_pieces(1);
  routed_early_ = true;
  return true;
}

void Session::clear_pieces(std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    ProxyReply nothing;
    nothing.part = HttpPart::kRequestBody;
    nothing.action = ProxyReply::Body::kReplace;
    talk_.say(std::move(nothing));
    pieces_cleared_ = true;
  }
}

// The headers go on without the body having been seen, where the mode leaves no choice or a better mode can be asked for.
void Session::answer_headers_early() {
  ProxyReply reply;
  reply.part = HttpPart::kRequestHeaders;
  if (modes_.request != BodyMode::kBuffered) {
    // Without a word on the route here, BUFFERED_PARTIAL lets the headers go before it clears its choice. Envoy clears
    // it only together with a change of headers.
    reply.clear_route_cache = true;
    reply.override_modes = BodyModes{.request = BodyMode::kBuffered, .response = modes_.response};
    reply.headers = stripped_;
    reply.headers.set.emplace_back("accept-encoding", kIdentity);
  }
  held_ = Held::kNothing;
  talk_.say(std::move(reply));
}

void Session::release_held_pieces() {
  answer_headers_early();
  clear_pieces(std::exchange(pieces_unanswered_, 0));
  routed_early_ = true;
}

void Session::send_pieces(HttpPart part, std::string_view body, bool end_of_stream) {
  do {
    ProxyReply piece;
    piece.part = part;
    piece.action = ProxyReply::Body::kStreamed;
    piece.body = body.substr(0, limits::kExtProcPieceBytes);
    body.remove_prefix(piece.body.size());
    piece.end_of_stream = end_of_stream && body.empty();
    talk_.say(std::move(piece));
  } while (!body.empty());
}

void Session::answer_part(HttpPart part) {
  ProxyReply reply;
  reply.part = part;
  talk_.say(std::move(reply));
}

void Session::send_held(Carried request, HeaderEdits edits) {
  ProxyReply reply;
  reply.headers = std::move(edits);
  reply.clear_route_cache = true;
  reply.destination = std::move(request.destination);
  if (held_ == Held::kHeaders) {
    reply.part = HttpPart::kRequestHeaders;
    talk_.say(std::move(reply));
    if (modes_.request == BodyMode::kFullDuplex) {
      if (pieces_unanswered_ > 0) {
        send_pieces(HttpPart::kRequestBody, request.body, !request_trailers_);
      }
      if (request_trailers_) answer_part(HttpPart::kRequestTrailers);
      return;
    }
    if (pieces_unanswered_ == 0) return;
    clear_pieces(pieces_unanswered_ - 1);
    reply = {};
    request.body_changed = true;
  } else if (request.body_changed && !routed_early_ &&
             (modes_.request == BodyMode::kBuffered || request_headers_.has("content-length"))) {
    reply.headers.set.emplace_back("content-length", std::to_string(request.body.size()));
  }
  reply.part = HttpPart::kRequestBody;
  if (request.body_changed || pieces_cleared_) {
    reply.action = ProxyReply::Body::kReplace;
    reply.body = std::move(request.body);
  }
  talk_.say(std::move(reply));
}

net::Task<Result<std::optional<http::ResponseHead>>> Session::send(Carried request) {
  carried_ = true;
  HeaderEdits edits = header_edits(request_headers_, request.headers);
  if (!request.target.empty()) edits.set.emplace_back(":path", request.target);
  send_held(std::move(request), std::move(edits));
  for (;;) {
    auto message = co_await talk_.next(Deadline::after(loop_.now(), settings_->total_timeout));
    if (!message) {
      if (talk_.is_closed() && !talk_.gone().cancelled()) co_return std::nullopt;
      co_return std::unexpected(std::move(message).error());
    }
    if (message->part != HttpPart::kResponseHeaders) {
      // Late parts of a request whose body is known: trailers, or the rest of what was cut.
      let_go(*std::move(message), {});
      continue;
    }
    response_headers_ = std::move(message->headers);
    response_over_ = message->end_of_stream;
    http::ResponseHead head;
    head.status = static_cast<int>(parse_uint(response_headers_.get(":status")).value_or(0));
    head.headers = without_pseudo(response_headers_);
    co_return head;
  }
}

// ---- the answer

void Session::start(http::Headers headers, Watch watch) {
  ProxyReply reply;
  reply.part = HttpPart::kResponseHeaders;
  reply.headers = header_edits(response_headers_, headers);
  if (routed_early_) reply.headers.set.emplace_back("x-signalbox-routed-early", "true");
  if (response_headers_.has("content-length") && !headers.has("content-length")) {
    reply.headers.removed.emplace_back("content-length");
  }
  if (!response_over_ && modes_.response != BodyMode::kFullDuplex) {
    BodyMode wanted = modes_.response;
    if (watch == Watch::kNothing) wanted = BodyMode::kNone;
    if (watch == Watch::kPieces || (watch == Watch::kWhole && wanted == BodyMode::kNone)) {
      wanted = BodyMode::kStreamed;
    }
    if (wanted != modes_.response) {
      reply.override_modes = BodyModes{.request = BodyMode::kNone, .response = wanted};
    }
  }
  talk_.say(std::move(reply));
}

net::Task<Result<Carrier::Piece>> Session::read() {
  pending_ = Pending::kNothing;
  if (response_over_) co_return Piece{.bytes = {}, .last = true};
  for (;;) {
    auto message = co_await talk_.next(Deadline::after(loop_.now(), settings_->total_timeout));
    if (!message) {
      // A filter that sends no bodies ends the stream here; one that did has lost its engine or its client.
      if (talk_.is_closed() && !response_seen_) co_return Piece{.bytes = {}, .last = true};
      co_return std::unexpected(std::move(message).error());
    }
    response_seen_ = true;
    if (message->part == HttpPart::kResponseTrailers) {
      pending_ = Pending::kTrailers;
      last_ = true;
      piece_.clear();
      co_return Piece{.bytes = {}, .last = true};
    }
    if (message->part == HttpPart::kResponseBody) {
      pending_ = Pending::kBody;
      last_ = message->end_of_stream;
      piece_ = std::move(message->body);
      co_return Piece{.bytes = piece_, .last = last_};
    }
    let_go(*std::move(message), {});
  }
}

void Session::pass(std::string_view bytes) {
  const bool duplex = modes_.response == BodyMode::kFullDuplex;
  switch (std::exchange(pending_, Pending::kNothing)) {
    case Pending::kNothing:
      return;
    case Pending::kTrailers:
      if (duplex && !bytes.empty()) send_pieces(HttpPart::kResponseBody, bytes, false);
      return answer_part(HttpPart::kResponseTrailers);
    case Pending::kBody:
      break;
  }
  if (duplex) {
    if (!bytes.empty() || last_) send_pieces(HttpPart::kResponseBody, bytes, last_);
    return;
  }
  ProxyReply reply;
  reply.part = HttpPart::kResponseBody;
  if (bytes.data() != piece_.data() || bytes.size() != piece_.size()) {
    reply.action = ProxyReply::Body::kReplace;
    reply.body = bytes;
  }
  talk_.say(std::move(reply));
}

// ---- requests that are none of ours

// "Go on as you are." In the duplex modes a body only goes on if it is said again.
void Session::let_go(ProxyMessage message, HeaderEdits edits) {
  if (message.part == HttpPart::kUnknown) return;
  const auto says_again = [](BodyMode mode) {
    return mode == BodyMode::kFullDuplex || mode == BodyMode::kGrpc;
  };
  const bool is_request_body = message.part == HttpPart::kRequestBody;
  const bool is_response_body = message.part == HttpPart::kResponseBody;
  if ((is_request_body && says_again(modes_.request)) ||
      (is_response_body && says_again(modes_.response))) {
    return send_pieces(message.part, message.body, message.end_of_stream);
  }
  ProxyReply reply;
  reply.part = message.part;
  reply.headers = std::move(edits);
  const bool may_step_out = message.part == HttpPart::kRequestHeaders &&
                            !says_again(modes_.request) && !says_again(modes_.response);
  if (may_step_out) {
    reply.override_modes = BodyModes{.request = BodyMode::kNone, .response = BodyMode::kNone};
  }
  talk_.say(std::move(reply));
}

net::Task<SessionEnd> Session::pass_by(ProxyMessage message, HeaderEdits edits) {
  let_go(std::move(message), std::move(edits));
  for (;;) {
    auto more = co_await talk_.next(Deadline::after(loop_.now(), settings_->total_timeout));
    if (!more) co_return talk_.is_closed() ? SessionEnd::kPassed : SessionEnd::kBroken;
    let_go(*std::move(more), {});
  }
}

}  // namespace signalbox::listener
