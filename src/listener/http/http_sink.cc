#include "listener/http/http_sink.h"

#include <algorithm>
#include <array>

#include "http/chunked.h"

namespace signalbox::listener {

net::Task<Result<void>> HttpSink::send(std::span<const std::string_view> parts) {
  if (failed_) co_return fail(Code::kCancelled, "client connection failed earlier");
  const auto sent = co_await stream_.write_all(parts, Deadline::after(loop_.now(), write_timeout_));
  if (!sent) {
    failed_ = true;
    co_return fail(Code::kCancelled, "client went away: " + sent.error().message);
  }
  co_return Result<void>{};
}

net::Task<Result<void>> HttpSink::start(int status, const http::Headers& headers,
                                        std::optional<std::uint64_t> body_bytes) {
  SBX_ASSERT(!started_);
  started_ = true;
  status_ = status;
  bodiless_ = client_.head_request || status == 204 || status == 304;
  keep_alive_ = client_.keep_alive;
  http::BodyFraming framing;
  if (body_bytes) {
    framing = {http::Framing::kLength, *body_bytes};
    left_bytes_ = *body_bytes;
  } else if (client_.version_minor >= 1) {
    framing.kind = http::Framing::kChunked;
  } else {
    framing.kind = http::Framing::kUntilClose;
    keep_alive_ = false;
  }
  if (bodiless_ && !body_bytes) framing.kind = http::Framing::kNone;
  framing_ = framing.kind;
  const http::StatusLine line{.status = status,
                              .version_minor = client_.version_minor,
                              .keep_alive = keep_alive_,
                              .date = dates_.at(loop_.clock().unix_time()),
                              .to_head = client_.head_request};
  http::append_response_head(head_, line, headers, framing);
  co_return Result<void>{};
}

net::Task<Result<void>> HttpSink::write(std::string_view piece) {
  if (piece.empty()) {
    // A head without a body yet: first byte of a slow stream must not wait for its first event.
    if (head_.empty()) co_return Result<void>{};
    const std::array<std::string_view, 1> parts = {head_};
    auto sent = co_await send(parts);
    head_.clear();
    co_return sent;
  }
  if (bodiless_) co_return Result<void>{};
  Result<void> sent;
  if (framing_ == http::Framing::kChunked) {
    const http::ChunkOpening opening(piece.size());
    const std::array<std::string_view, 4> parts = {head_, opening.text(), piece, http::kChunkEnd};
    sent = co_await send(parts);
  } else {
    if (framing_ == http::Framing::kLength) {
      if (piece.size() > left_bytes_) {
        abort();
        co_return fail(Code::kInternal, "answer is longer than announced");
      }
      left_bytes_ -= piece.size();
    }
    const std::array<std::string_view, 2> parts = {head_, piece};
    sent = co_await send(parts);
  }
  head_.clear();
  co_return sent;
}

net::Task<Result<void>> HttpSink::finish() {
  if (finished_ || failed_) co_return Result<void>{};
  if (!bodiless_ && framing_ == http::Framing::kLength && left_bytes_ > 0) {
    abort();
    co_return fail(Code::kInternal, "answer is shorter than announced");
  }
  const bool chunked = framing_ == http::Framing::kChunked && !bodiless_;
  if (!head_.empty() || chunked) {
    const std::array<std::string_view, 2> parts = {head_,
                                                   chunked ? http::kLastChunk : std::string_view{}};
    auto sent = co_await send(parts);
    head_.clear();
    if (!sent) co_return sent;
  }
  finished_ = true;
  co_return Result<void>{};
}

void HttpSink::abort() { failed_ = true; }

}  // namespace signalbox::listener
