// Head of an HTTP/1.0 or 1.1 response, parsed from bytes. RFC 9112 sections 4 and 6.3, strict (see message_head.h).
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "base/error.h"
#include "http/headers.h"
#include "http/message_head.h"

namespace signalbox::http {

struct ResponseHead {
  int status = 0;         // 200..599: interim responses are skipped
  int version_minor = 1;  // HTTP/1.<minor>
  Headers headers;        // as sent, hop-by-hop fields included
  BodyFraming body;
  bool keep_alive = true;  // the connection may be used again once the body is complete
  std::size_t head_bytes =
      0;  // bytes of the buffer before the body, skipped interim heads included
};

// Nothing when the final head is not complete: call again with the same scan and the grown buffer. Interim (1xx)
// responses are skipped; all heads together must fit kHeadBytesMax. `to_head` says that the request was HEAD.
// Errors: kUpstreamProtocol (malformed, ambiguous or too large; 101, which is never asked for).
Result<std::optional<ResponseHead>> parse_response_head(std::string_view buffer, HeadScan& scan,
                                                        bool to_head);

}  // namespace signalbox::http
