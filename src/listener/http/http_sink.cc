#include "listener/http/http_sink.h"

#include <algorithm>
#include <array>

#include "http/chunked.h"

namespace signalbox::listener {

net::Task<Result<void>> HttpSink::send(net::WriteParts parts) {
  if (failed_) co_return fail(Code::kCancelled, "client connection failed earlier");
  const auto sent = co_await stream_.write_all(parts, Deadline::after(loop_.now(), write_timeout_));
  if (!sent) {
    failed_ = true;
    co_return fail(Code::kCancelled, "client went away: " + sent.error().message);
  }
  co_return Result<void>{};
}

net::Task<Result<void>> HttpSink::start(http::ResponseStart head, std::string_view first) {
  SBX_ASSERT(!started_);
  started_ = true;
  status_ = head.status;
  bodiless_ = client_.head_request || head.status == 204 || head.status == 304;
  keep_alive_ = client_.keep_alive;
  http::BodyFraming framing = head.body;
  if (framing.kind != http::Framing::kLength && framing.kind != http::Framing::kNone) {
    // Length unknown: chunked for those who can take it, else the end of the connection is the end of the body.
    framing.kind =
        client_.version_minor >= 1 ? http::Framing::kChunked : http::Framing::kUntilClose;
  }
  if (framing.kind == http::Framing::kUntilClose) keep_alive_ = false;
  framing_ = framing.kind;
  left_bytes_ = framing.kind == http::Framing::kLength ? framing.length : 0;
  const http::StatusLine line{.status = head.status,
                              .version_minor = client_.version_minor,
                              .keep_alive = keep_alive_,
                              .date = dates_.at(loop_.clock().unix_time()),
                              .to_head = client_.head_request};
  std::string bytes;
  http::append_response_head(bytes, line, head.headers, framing);
  co_return co_await send_piece(bytes, first);
}

net::Task<Result<void>> HttpSink::write(std::string_view piece) {
  if (piece.empty()) co_return Result<void>{};
  co_return co_await send_piece({}, piece);
}

net::Task<Result<void>> HttpSink::send_piece(std::string_view head, std::string_view piece) {
  if (bodiless_) piece = {};
  if (framing_ == http::Framing::kChunked && !piece.empty()) {
    const http::ChunkOpening opening(piece.size());
    const std::array<std::string_view, 4> parts = {head, opening.text(), piece, http::kChunkEnd};
    co_return co_await send(parts);
  }
  if (framing_ == http::Framing::kLength && !bodiless_) {
    if (piece.size() > left_bytes_) {
      failed_ = true;
      co_return fail(Code::kInternal, "answer is longer than announced");
    }
    left_bytes_ -= piece.size();
  }
  const std::array<std::string_view, 2> parts = {head, piece};
  co_return co_await send(parts);
}

net::Task<Result<void>> HttpSink::finish() {
  if (finished_ || failed_) co_return Result<void>{};
  if (!bodiless_ && framing_ == http::Framing::kLength && left_bytes_ > 0) {
    failed_ = true;
    co_return fail(Code::kInternal, "answer is shorter than announced");
  }
  if (framing_ == http::Framing::kChunked && !bodiless_) {
    const std::array<std::string_view, 1> parts = {http::kLastChunk};
    auto sent = co_await send(parts);
    if (!sent) co_return sent;
  }
  finished_ = true;
  co_return Result<void>{};
}

}  // namespace signalbox::listener
