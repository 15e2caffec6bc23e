// Writes request and response heads. Every value is made safe on the way out: control bytes become spaces and fields
// whose name is no token are left out, so that no text from a body or a configuration can add a line to a head.
#pragma once

#include <array>
#include <chrono>
#include <string>
#include <string_view>

#include "http/headers.h"
#include "http/message_head.h"

namespace signalbox::http {

// "OK" for 200 and so on; empty for a status that has no registered name.
std::string_view reason_phrase(int status);

// One field with its CRLF.
void append_field(std::string& out, std::string_view name, std::string_view value);

struct RequestLine {
  std::string_view method;
  std::string_view target;  // path and query as they go on the wire; must be is_target()
  std::string_view host;    // value of Host
};
// A complete HTTP/1.1 head with its empty line. Host, Content-Length and Transfer-Encoding come from the arguments;
// fields of these names, Connection and Expect in `headers` are left out. Framing kNone writes "Content-Length: 0" for
// methods that usually have a body (POST, PUT, PATCH).
void append_request_head(std::string& out, const RequestLine& line, const Headers& headers,
                         BodyFraming body);

struct StatusLine {
  int status = 200;
  int version_minor = 1;   // of the request: a 1.0 client is told "keep-alive" in so many words
  bool keep_alive = true;  // false adds "Connection: close"
  std::string_view date;   // IMF-fixdate, or empty for no Date field
  bool to_head = false;    // the answer to a HEAD request: lengths are announced, no body follows
};
// A complete response head with its empty line. Content-Length, Transfer-Encoding, Connection and Date in `headers` are
// left out; framing kNone writes "Content-Length: 0" where a body would be possible (not for 1xx, 204, 304).
void append_response_head(std::string& out, const StatusLine& line, const Headers& headers,
                          BodyFraming body);

// "100 Continue" with its empty line.
inline constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

// Current time as an IMF-fixdate (RFC 9110 5.6.7), made once a second. One per core.
class DateCache {
 public:
  // The view is valid until the next call.
  std::string_view at(std::chrono::nanoseconds unix_time);

 private:
  std::chrono::seconds second_{-1};
  std::string text_;
};

}  // namespace signalbox::http
