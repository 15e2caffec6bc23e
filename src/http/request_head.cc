#include "http/request_head.h"

#include <utility>

#include "base/text.h"
#include "http/syntax.h"

namespace signalbox::http {
namespace {

constexpr Code kMalformed = Code::kInvalidArgument;

Result<int> parse_version(std::string_view version) {
  if (version == "HTTP/1.1") return 1;
  if (version == "HTTP/1.0") return 0;
  if (version.starts_with("HTTP/"))
    return fail(Code::kHttpVersion, "HTTP version is not supported");
  return fail(kMalformed, "malformed request line");
}

// origin-form or absolute-form; authority-form and asterisk-form have no meaning for this server.
Result<void> parse_target(std::string_view target, RequestHead& head) {
  if (!is_target(target)) return fail(kMalformed, "request target holds a forbidden character");
  if (target.front() != '/') {
    const auto scheme_end = target.find("://");
    const auto scheme = target.substr(0, scheme_end);
    if (scheme_end == std::string_view::npos ||
        !(equal_ignore_case(scheme, "http") || equal_ignore_case(scheme, "https"))) {
      return fail(kMalformed, "request target must be a path or an http URL");
    }
    target.remove_prefix(scheme_end + 3);
    const auto authority = target.substr(0, target.find_first_of("/?"));
    if (authority.empty() || !is_host(authority))
      return fail(kMalformed, "request target has no valid host");
    head.authority = authority;
    target.remove_prefix(authority.size());
  }
  const auto question = target.find('?');
  head.path = target.empty() || target.front() == '?' ? "/" : target.substr(0, question);
  if (question != std::string_view::npos) head.query = target.substr(question + 1);
  return {};
}

Result<void> parse_request_line(std::string_view line, RequestHead& head) {
  const auto first = line.find(' ');
  const auto last = line.rfind(' ');
  if (first == std::string_view::npos || first == last)
    return fail(kMalformed, "malformed request line");
  const auto method = line.substr(0, first);
  if (!is_token(method)) return fail(kMalformed, "method is not a token");
  SBX_TRY(head.version_minor, parse_version(line.substr(last + 1)));
  head.method = method;
  return parse_target(line.substr(first + 1, last - first - 1), head);
}

Result<void> check_host(RequestHead& head) {
  const auto hosts = head.headers.count("host");
  if (hosts > 1) return fail(kMalformed, "repeated Host", "host");
  if (hosts == 0 && head.version_minor >= 1) return fail(kMalformed, "Host is missing", "host");
  const auto host = head.headers.get("host");
  if (!is_host(host)) return fail(kMalformed, "Host is malformed", "host");
  if (head.authority.empty()) head.authority = host;
  return {};
}

Result<void> check_expect(RequestHead& head) {
  for (const auto& field : head.headers.fields()) {
    if (!equal_ignore_case(field.name, "expect")) continue;
    if (!equal_ignore_case(field.value, "100-continue")) {
      return fail(Code::kExpectationFailed, "only 100-continue can be expected", "expect");
    }
    head.expect_continue = head.version_minor >= 1 && head.body.kind != Framing::kNone;
  }
  return {};
}

}  // namespace

Result<std::optional<RequestHead>> parse_request_head(std::string_view buffer, HeadScan& scan) {
  // RFC 9112 2.2: old clients send an empty line after a body. More than one is not a client's mistake.
  if (scan.begin == 0 && buffer.starts_with("\r\n"))
    scan = {.begin = 2, .scanned = 2, .line_begin = 2};
  // Whoever speaks another protocol (TLS, say) hears it at once and not after the head timeout.
  if (buffer.size() > scan.begin && !is_token_char(buffer[scan.begin]) &&
      buffer.substr(scan.begin) != "\r") {
    return fail(kMalformed, "not an HTTP request");
  }
  SBX_TRY(const auto end, find_head_end(buffer, scan, kMalformed));
  if (!end) return std::nullopt;

  const auto text = buffer.substr(scan.begin, *end - 2 - scan.begin);
  const auto line_end = text.find("\r\n");
  if (line_end == std::string_view::npos) return fail(kMalformed, "not an HTTP request");
  RequestHead head;
  SBX_CHECK_OK(parse_request_line(text.substr(0, line_end), head));
  SBX_TRY(head.headers, parse_fields(text.substr(line_end + 2), kMalformed));
  SBX_CHECK_OK(check_host(head));
  SBX_TRY(head.body, declared_framing(head.headers, head.version_minor, kMalformed));
  // A declared length of zero is a body of no bytes: nothing to read.
  if (head.body.kind == Framing::kLength && head.body.length == 0) head.body = {};
  SBX_CHECK_OK(check_expect(head));
  head.keep_alive = wants_keep_alive(head.headers, head.version_minor);
  head.head_bytes = *end;
  return std::optional<RequestHead>(std::move(head));
}

}  // namespace signalbox::http
