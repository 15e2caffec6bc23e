// The chunked transfer coding (RFC 9112 section 7.1) on bytes as they arrive: a decoder whose payload are views into
// the bytes given, a scanner that only finds the end, and the framing a writer puts around a payload.
// Extensions and trailer fields are read over and dropped, within limits.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/error.h"

namespace signalbox::http {

class ChunkDecoder {
 public:
  // `malformed` is the code of every error: kInvalidArgument for a client, kUpstreamProtocol for an upstream.
  explicit ChunkDecoder(Code malformed) : malformed_(malformed) {}

  struct Step {
    std::size_t consumed = 0;  // bytes taken from the front: framing and the payload
    std::string_view payload;  // at most one run, within the bytes given; may be empty
  };
  // Takes framing and then at most one run of payload. Call until done() or until everything is consumed; the next bytes
  // then follow. An empty step means: all consumed, or done. O(bytes), no allocation.
  // Errors: malformed framing, a size line over kChunkLineBytesMax, trailers over kTrailerBytesMax.
  Result<Step> next(std::string_view bytes);

  struct Compacted {
    std::size_t consumed = 0;  // bytes taken from the front; less than all only when done()
    std::string_view payload;  // all payload of the bytes, one run
  };
  // Decodes as much as there is and closes the gaps between runs of payload in place, so that one read stays one write.
  // The bytes before `consumed` are overwritten. Errors as next().
  Result<Compacted> compact(std::span<char> bytes);

  bool done() const { return state_ == State::kDone; }

 private:
  enum class State : std::uint8_t {
    kSizeFirst,  // first digit of a size
    kSize,       // further digits
    kExtension,  // after the digits, to CR
    kSizeFeed,   // LF of the size line
    kData,
    kDataReturn,    // CR after the data
    kDataFeed,      // LF after the data
    kTrailerBegin,  // first byte of a trailer line
    kTrailer,       // inside a trailer line, to CR
    kTrailerFeed,   // LF of a trailer line
    kLastFeed,      // LF of the empty line
    kDone,
  };
  // One byte of framing.
  Result<void> step(char c);
  Result<void> step_size(char c);
  Result<void> step_trailer(char c);
  Result<void> expect(char c, char wanted, State then);
  Result<void> end_of_size_line();

  Code malformed_;
  State state_ = State::kSizeFirst;
  std::uint64_t left_ = 0;      // payload bytes of this chunk still to come
  std::size_t line_bytes_ = 0;  // of the size line
  std::size_t trailer_bytes_ = 0;
};

// Finds the end of a chunked body that is passed on as it is.
class ChunkScanner {
 public:
  explicit ChunkScanner(Code malformed) : decoder_(malformed) {}
  // Bytes of the front that belong to the body: all of them until done(). Errors as ChunkDecoder.
  Result<std::size_t> scan(std::string_view bytes);
  bool done() const { return decoder_.done(); }

 private:
  ChunkDecoder decoder_;
};

// Size line of a chunk of `bytes` > 0 bytes; the payload and kChunkEnd follow it.
class ChunkOpening {
 public:
  explicit ChunkOpening(std::size_t bytes);
  std::string_view text() const { return {text_.data(), size_}; }

 private:
  std::array<char, 2 * sizeof(std::size_t) + 2> text_;
  std::size_t size_ = 0;
};
inline constexpr std::string_view kChunkEnd = "\r\n";
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";

}  // namespace signalbox::http
