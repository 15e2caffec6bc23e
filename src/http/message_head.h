// What request and response heads have in common: finding the end of the head as bytes arrive, reading the fields,
// and working out how the body is framed. Pure functions on bytes.
//
// Strict on purpose: two parsers that disagree about where a message ends are how requests are smuggled. Lines end in
// CRLF and nothing else; folded lines, spaces before the colon, repeated or conflicting lengths are refused.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/error.h"
#include "http/headers.h"

namespace signalbox::http {

// How the end of a body is known. RFC 9112 section 6.3.
enum class Framing : std::uint8_t {
  kNone,        // no body
  kLength,      // `length` bytes
  kChunked,     // until the last chunk and its trailers
  kUntilClose,  // responses only: until the peer closes
};

struct BodyFraming {
  Framing kind = Framing::kNone;
  std::uint64_t length = 0;  // bytes, for kLength
};

// Where looking for the end of a head stopped. Start with a fresh one per head and pass the same one, with the same
// buffer plus what has arrived since, until the head is complete: each byte is looked at once.
struct HeadScan {
  std::size_t begin = 0;       // first byte of the head in the buffer (after what was skipped)
  std::size_t scanned = 0;     // bytes already looked at
  std::size_t line_begin = 0;  // first byte of the line being looked at
  std::size_t lines = 0;       // complete lines so far
};

// One past the empty line that ends the head, or nothing when it has not arrived.
// Errors: `malformed` for a line feed without carriage return; kHeaderTooLarge (limits kHeadBytesMax, kHeaderCountMax).
Result<std::optional<std::size_t>> find_head_end(std::string_view buffer, HeadScan& scan,
                                                 Code malformed);

// Fields of `lines` (each line with its CRLF, without the empty line). Errors: `malformed`.
Result<Headers> parse_fields(std::string_view lines, Code malformed);

// Framing as Content-Length and Transfer-Encoding say it; kNone when neither is there. Errors: `malformed` for
// contradictions, kUnsupported for codings other than chunked (kept as `malformed` when that is not a client's code).
Result<BodyFraming> declared_framing(const Headers& headers, int version_minor, Code malformed);

// RFC 9112 9.3: 1.1 persists unless "close", 1.0 only with "keep-alive".
bool wants_keep_alive(const Headers& headers, int version_minor);

// True if any Connection field names the option.
bool connection_has(const Headers& headers, std::string_view option);

// Removes the fields that concern one connection only (RFC 9110 7.6.1): Connection and what it names, Keep-Alive,
// Proxy-Connection and the other Proxy-* fields, TE, Trailer, Transfer-Encoding, Upgrade.
void remove_hop_by_hop(Headers& headers);

}  // namespace signalbox::http
