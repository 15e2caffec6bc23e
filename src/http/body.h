// Pull side of a message body: payload pieces out of a stream and the bytes already received, whatever the framing.
// Nothing is read ahead beyond one read, so a slow consumer slows the sender down.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/error.h"
#include "http/chunked.h"
#include "http/message_head.h"
#include "http/read_buffer.h"
#include "net/stream.h"
#include "net/task.h"

namespace signalbox::http {

// Whose message it is: decides the codes of failures.
//              malformed          ended too early   too slow
//   kClient    kInvalidArgument   kCancelled        kRequestTimeout
//   kUpstream  kUpstreamProtocol  kUpstreamReset    kUpstreamTimeout
// kCancelled from a cancelled or closed stream stays as it is.
enum class Side : std::uint8_t { kClient, kUpstream };

// The error of a stream operation as the code of that side.
Error stream_error(Error error, Side side);
// "The other side closed before the message was complete".
Error truncated(Side side);

class BodyReader {
 public:
  // Borrows stream and buffer for its life. The buffer starts at the first byte of the body and ends up at the first
  // byte after it (a pipelined request).
  BodyReader(net::Stream& stream, ReadBuffer& buffer, BodyFraming framing, Side side);

  // The next piece of payload, valid until the next call; empty is the end, and stays so. At most one read of the
  // stream, and none when bytes are waiting. Chunked pieces of one read come as one run.
  net::Task<Result<std::string_view>> read(Deadline deadline);
  // What is there without reading: empty when nothing is, or at the end.
  Result<std::string_view> take();
  // The complete body was taken. For until-close bodies: after the end of the stream was seen.
  bool done() const { return done_; }
  BodyFraming framing() const { return framing_; }
  // Payload bytes given out so far.
  std::uint64_t payload_bytes() const { return payload_bytes_; }

  struct Limits {
    std::size_t bytes_max = 0;
    Duration idle{};  // between two reads
    Deadline total = Deadline::none();
  };
  // The whole rest of the body as one string. Bodies of known length are read straight into it; memory is touched only
  // as bytes arrive, so an announced length costs nothing.
  // Errors: kPayloadTooLarge (kUpstreamProtocol for an upstream), as soon as the announced or received size says so.
  net::Task<Result<std::string>> read_all(const Clock* clock, Limits limits);

 private:
  net::Task<Result<std::string>> read_known_length(const Clock* clock, Limits limits);
  Error too_large() const;

  net::Stream& stream_;
  ReadBuffer& buffer_;
  BodyFraming framing_;
  Side side_;
  ChunkDecoder decoder_;
  std::uint64_t left_ = 0;  // of a body of known length
  std::uint64_t payload_bytes_ = 0;
  bool done_ = false;
};

}  // namespace signalbox::http
