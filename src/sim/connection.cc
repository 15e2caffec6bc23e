#include "sim/connection.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "base/limits.h"
#include "http/chunked.h"
#include "http/message_writer.h"
#include "sim/pause.h"

namespace signalbox::sim {
namespace {

constexpr std::size_t kBodyReserveMax = 1 << 20;  // trusting a length only so far

bool is_internal(std::string_view path) {
  return path.starts_with("/sim/") || path == "/health" || path == "/metrics";
}

// Asked by routers on their own, in between: not what somebody wants to see as the last request.
bool is_for_routers(const http::RequestHead& head) {
  return head.method == "GET" && (head.path == "/v1/models" || head.path == "/is_sleeping");
}

std::optional<Dialect> dialect_of(const http::RequestHead& head) {
  if (head.method != "POST") return std::nullopt;
  if (head.path == "/v1/chat/completions") return Dialect::kChat;
  if (head.path == "/v1/completions") return Dialect::kCompletions;
  if (head.path == "/v1/responses") return Dialect::kResponses;
  if (head.path == "/v1/messages") return Dialect::kMessages;
  return std::nullopt;
}

}  // namespace

Connection::Connection(State& state, std::unique_ptr<net::Stream> stream)
    : state_(state),
      stream_(std::move(stream)),
      inbox_(*stream_),
      self_(std::make_shared<Connection*>(this)) {
  ++state_.connections;
  ++state_.connections_accepted;
}

Connection::~Connection() {
  --state_.connections;
  *self_ = nullptr;
}

net::Task<void> Connection::run() {
  bool more = co_await read_request();
  while (more) {
    more = co_await answer();
    if (more) more = co_await read_request();
  }
  stream_->close();
  co_await inbox_.stopped();
}

net::Task<bool> Connection::read_request() {
  request_.reset();
  auto head = co_await read_head();
  if (!head) co_return false;
  request_ = std::make_shared<Request>();
  request_->head = *std::move(head);
  keep_alive_ = request_->head.keep_alive;
  if (request_->head.expect_continue) {
    const std::string_view parts[] = {http::kContinue};
    if (!co_await stream_->write_all(
            parts, Deadline::after(state_.loop.now(), limits::kStreamIdleTimeout))) {
      co_return false;
    }
  }
  if (!co_await read_body(request_->head, &request_->body)) co_return false;
  if (!is_internal(request_->head.path) && !is_for_routers(request_->head)) {
    ++state_.requests;
    state_.last = request_;
  }
  co_return true;
}

net::Task<std::optional<http::RequestHead>> Connection::read_head() {
  http::HeadScan scan;
  while (true) {
    auto head = http::parse_request_head(inbox_.bytes(), scan);
    if (!head) {
      keep_alive_ = false;
      chunked_ = false;
      faults_ = {};
      co_await send_plain(plain_error(head.error()));
      co_return std::nullopt;
    }
    if (*head) {
      inbox_.consume((*head)->head_bytes);
      co_return **std::move(head);
    }
    if (!co_await inbox_.more(Deadline::after(state_.loop.now(), limits::kIdleTimeout)))
      co_return std::nullopt;
  }
}

net::Task<bool> Connection::read_body(const http::RequestHead& head, std::string* body) {
  http::ChunkDecoder decoder(Code::kInvalidArgument);
  if (head.body.kind == http::Framing::kNone) co_return true;
  const bool chunked = head.body.kind == http::Framing::kChunked;
  if (!chunked) body->reserve(std::min<std::size_t>(head.body.length, kBodyReserveMax));
  while (chunked ? !decoder.done() : body->size() < head.body.length) {
    if (inbox_.bytes().empty()) {
      const bool came =
          co_await inbox_.more(Deadline::after(state_.loop.now(), limits::kBodyTimeout));
      if (!came) co_return false;
    }
    const std::string_view bytes = inbox_.bytes();
    http::ChunkDecoder::Step step;
    if (chunked) {
      const auto next = decoder.next(bytes);
      if (!next) co_return false;
      step = *next;
    } else {
      step.consumed = std::min(bytes.size(), head.body.length - body->size());
      step.payload = bytes.substr(0, step.consumed);
    }
    if (body->size() + step.payload.size() > limits::kBodyBytesMax) co_return false;
    body->append(step.payload);
    inbox_.consume(step.consumed);
  }
  co_return true;
}

net::Task<bool> Connection::answer() {
  const http::RequestHead& head = request_->head;
  chunked_ = false;
  body_sent_ = 0;
  if (is_internal(head.path)) {
    faults_ = {};
    if (head.path == "/health" && state_.control.hang) faults_.hang = true;
  } else {
    faults_ = read_faults(head.headers, state_.control, state_.random);
  }
  if (faults_.drop) co_return false;
  if (faults_.hang) {
    co_await Pause(state_.loop, inbox_, Deadline::none());
    co_return false;
  }
  if (faults_.delay > Duration::zero()) {
    const bool stayed =
        co_await Pause(state_.loop, inbox_, Deadline::after(state_.loop.now(), faults_.delay));
    if (!stayed) state_.metrics.aborted();
    if (!stayed) co_return false;
  }
  if (faults_.malformed == Malformed::kHead) co_return co_await misbehave_early();
  if (faults_.status != 0 && faults_.status != 200) {
    co_return co_await send_plain(
        plain_error(faults_.status, "simulated failure", "SimulatedError", ""));
  }
  if (const auto dialect = dialect_of(head)) co_return co_await generate(*dialect);
  co_return co_await send_plain(answer_plain(state_, *request_));
}

net::Task<bool> Connection::misbehave_early() {
  out_ = "HTTP/1.1 two hundred\r\nthis is no head\r\n\r\n";
  const std::string_view parts[] = {out_};
  co_await stream_->write_all(parts,
                              Deadline::after(state_.loop.now(), limits::kStreamIdleTimeout));
  co_return false;
}

net::Task<bool> Connection::send_plain(Plain plain) {
  out_.clear();
  append_head(plain.status, plain.content_type, plain.body.size());
  if (request_ && request_->head.method == "HEAD") plain.body.clear();
  append_payload(plain.body);
  const bool sent = co_await flush(plain.body.size());
  co_return sent&& keep_alive_;
}

void Connection::append_head(int status, std::string_view content_type,
                             std::optional<std::size_t> length) {
  const auto out = std::back_inserter(out_);
  fmt::format_to(out, "HTTP/1.1 {} {}\r\nserver: signalbox-sim\r\nx-sim-engine: {}\r\n", status,
                 http::reason_phrase(status), state_.engine.options().name);
  if (!content_type.empty()) fmt::format_to(out, "content-type: {}\r\n", content_type);
  if (!faults_.retry_after.empty()) http::append_field(out_, "retry-after", faults_.retry_after);
  if (length) {
    fmt::format_to(out, "content-length: {}\r\n", *length);
  } else if (chunked_) {
    out_ += "transfer-encoding: chunked\r\n";
  }
  if (!keep_alive_) {
    out_ += "connection: close\r\n";
  } else if (request_ && request_->head.version_minor == 0) {
    out_ += "connection: keep-alive\r\n";
  }
  out_ += "\r\n";
}

void Connection::append_payload(std::string_view payload) {
  if (chunked_) out_ += http::ChunkOpening(payload.size()).text();
  out_ += payload;
  payload_end_ = out_.size();
  if (chunked_) out_ += http::kChunkEnd;
}

net::Task<bool> Connection::flush(std::size_t body_bytes) {
  bool cut = false;
  if (faults_.cut_after_bytes && body_sent_ + body_bytes > *faults_.cut_after_bytes) {
    // Inside a chunk the size line has promised more than comes.
    const std::size_t kept = *faults_.cut_after_bytes - body_sent_;
    out_.resize(payload_end_ - (body_bytes - kept));
    cut = true;
  }
  body_sent_ += body_bytes;
  const std::string_view parts[] = {out_};
  const auto written = co_await stream_->write_all(
      parts, Deadline::after(state_.loop.now(), limits::kStreamIdleTimeout));
  out_.clear();
  co_return written.has_value() && !cut;
}

}  // namespace signalbox::sim
