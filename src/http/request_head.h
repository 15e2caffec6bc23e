// Head of an HTTP/1.0 or 1.1 request, parsed from bytes. RFC 9112 sections 3 and 5, strict (see message_head.h).
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "http/headers.h"
#include "http/message_head.h"

namespace signalbox::http {

struct RequestHead {
  std::string method;
  std::string path;       // as sent, percent sequences untouched; starts with '/'
  std::string query;      // without '?'
  std::string authority;  // of an absolute-form target, else of Host; may be empty
  int version_minor = 1;  // HTTP/1.<minor>, 0 or 1
  Headers headers;
  BodyFraming body;              // kNone, kLength or kChunked
  bool keep_alive = true;        // the client would like to send another request
  bool expect_continue = false;  // the client waits for "100 Continue" before it sends the body
  std::size_t head_bytes = 0;    // bytes of the buffer that belong to the head
};

// Nothing when the head is not complete: call again with the same scan and the grown buffer. One empty line before the
// head is skipped. Cost: each byte is scanned once while waiting and once when complete; strings are allocated only then.
// Errors: kInvalidArgument (malformed or ambiguous), kHeaderTooLarge, kExpectationFailed,
// kHttpVersion, kUnsupported (transfer
// coding). After an error the connection cannot be read any further.
Result<std::optional<RequestHead>> parse_request_head(std::string_view buffer, HeadScan& scan);

}  // namespace signalbox::http
