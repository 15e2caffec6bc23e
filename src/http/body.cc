#include "http/body.h"

#include <algorithm>
#include <utility>

#include "base/limits.h"

namespace signalbox::http {
namespace {

Code malformed_code(Side side) {
  return side == Side::kClient ? Code::kInvalidArgument : Code::kUpstreamProtocol;
}

// Grows without writing zeros first: the bytes are overwritten by a read or cut off again.
void grow(std::string& text, std::size_t size) {
  text.resize_and_overwrite(size, [](char*, std::size_t count) { return count; });
}

}  // namespace

Error stream_error(Error error, Side side) {
  if (side == Side::kUpstream && error.code == Code::kIo) error.code = Code::kUpstreamReset;
  if (side == Side::kUpstream && error.code == Code::kRequestTimeout)
    error.code = Code::kUpstreamTimeout;
  if (side == Side::kClient && error.code == Code::kIo) error.code = Code::kCancelled;
  return error;
}

Error truncated(Side side) {
  if (side == Side::kClient)
    return {Code::kCancelled, "client closed before the end of its request", {}};
  return {Code::kUpstreamReset, "upstream closed before the end of its response", {}};
}

BodyReader::BodyReader(net::Stream& stream, ReadBuffer& buffer, BodyFraming framing, Side side)
    : stream_(stream),
      buffer_(buffer),
      framing_(framing),
      side_(side),
      decoder_(malformed_code(side)),
      left_(framing.length),
      done_(framing.kind == Framing::kNone || (framing.kind == Framing::kLength && left_ == 0)) {}

Result<std::string_view> BodyReader::take() {
  if (done_ || buffer_.empty()) return std::string_view{};
  std::string_view piece = buffer_.data();
  std::size_t consumed = piece.size();
  if (framing_.kind == Framing::kChunked) {
    SBX_TRY(const auto run, decoder_.compact(buffer_.bytes()));
    piece = run.payload;
    consumed = run.consumed;
    done_ = decoder_.done();
  } else if (framing_.kind == Framing::kLength) {
    consumed = static_cast<std::size_t>(std::min<std::uint64_t>(left_, piece.size()));
    piece = piece.substr(0, consumed);
    left_ -= consumed;
    done_ = left_ == 0;
  }
  buffer_.consume(consumed);
  payload_bytes_ += piece.size();
  return piece;
}

net::Task<Result<std::string_view>> BodyReader::read(Deadline deadline) {
  while (true) {
    SBX_CO_TRY(const auto piece, take());
    if (!piece.empty() || done_) co_return piece;
    auto count = co_await stream_.read_some(buffer_, deadline);
    if (!count) co_return std::unexpected(stream_error(std::move(count).error(), side_));
    if (*count == 0) {
      if (framing_.kind != Framing::kUntilClose) co_return std::unexpected(truncated(side_));
      done_ = true;
      co_return std::string_view{};
    }
    buffer_.commit(*count);
  }
}

Error BodyReader::too_large() const {
  if (side_ == Side::kClient) return {Code::kPayloadTooLarge, "request body is too large", {}};
  return {Code::kUpstreamProtocol, "upstream's response body is too large", {}};
}

net::Task<Result<std::string>> BodyReader::read_known_length(const Clock* clock, Limits limits) {
  if (left_ > limits.bytes_max) co_return std::unexpected(too_large());
  std::string body;
  body.reserve(std::min<std::size_t>(left_, limits::kBodyReserveBytesMax));
  SBX_CO_TRY(const auto first, take());
  body.append(first);
  while (left_ > 0) {
    const std::size_t size = body.size();
    // Up to the capacity at least, and doubling past it.
    const std::size_t most = std::max(size + limits::kRelayBufferBytes, body.capacity());
    grow(body, std::min<std::size_t>(size + left_, most));
    const auto deadline = Deadline::after(clock->now(), limits.idle).sooner(limits.total);
    auto count = co_await stream_.read_some({body.data() + size, body.size() - size}, deadline);
    if (!count) co_return std::unexpected(stream_error(std::move(count).error(), side_));
    if (*count == 0) co_return std::unexpected(truncated(side_));
    body.resize(size + *count);
    left_ -= *count;
    payload_bytes_ += *count;
  }
  done_ = true;
  co_return body;
}

net::Task<Result<std::string>> BodyReader::read_all(const Clock* clock, Limits limits) {
  if (framing_.kind == Framing::kLength) co_return co_await read_known_length(clock, limits);
  std::string body;
  while (true) {
    const auto deadline = Deadline::after(clock->now(), limits.idle).sooner(limits.total);
    SBX_CO_TRY(const auto piece, co_await read(deadline));
    if (piece.empty()) co_return body;
    if (piece.size() > limits.bytes_max - body.size()) co_return std::unexpected(too_large());
    body.append(piece);
  }
}

}  // namespace signalbox::http
