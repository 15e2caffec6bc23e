#include "http/response_head.h"

#include <utility>

#include "base/limits.h"
#include "base/text.h"
#include "http/syntax.h"

namespace signalbox::http {
namespace {

constexpr Code kMalformed = Code::kUpstreamProtocol;
constexpr std::size_t kVersionBytes = 8;  // "HTTP/1.1"
constexpr std::size_t kStatusEnd = 12;    // "HTTP/1.1 200"

// "HTTP/1.1 200 OK"; the reason and the space before it may be missing, as several servers leave them out.
Result<void> parse_status_line(std::string_view line, ResponseHead& head) {
  const auto version = line.substr(0, kVersionBytes);
  if (version != "HTTP/1.1" && version != "HTTP/1.0")
    return fail(kMalformed, "upstream does not speak HTTP/1.x");
  head.version_minor = version.back() - '0';
  const bool cut = line.size() < kStatusEnd || line[kVersionBytes] != ' ';
  if (cut || (line.size() > kStatusEnd && line[kStatusEnd] != ' ')) {
    return fail(kMalformed, "upstream sent a malformed status line");
  }
  const auto status = parse_uint(line.substr(kVersionBytes + 1, 3));
  if (!status || *status < 100 || *status > 599 || !is_field_value(line)) {
    return fail(kMalformed, "upstream sent a malformed status line");
  }
  head.status = static_cast<int>(*status);
  return {};
}

Result<BodyFraming> response_framing(const ResponseHead& head, bool to_head) {
  SBX_TRY(const BodyFraming declared,
          declared_framing(head.headers, head.version_minor, kMalformed));
  if (to_head || head.status < 200 || head.status == 204 || head.status == 304)
    return BodyFraming{};
  if (declared.kind == Framing::kNone) return BodyFraming{Framing::kUntilClose, 0};
  if (declared.kind == Framing::kLength && declared.length == 0) return BodyFraming{};
  return declared;
}

Result<ResponseHead> parse_one(std::string_view text, bool to_head) {
  const auto line_end = text.find("\r\n");
  if (line_end == std::string_view::npos) return fail(kMalformed, "upstream does not speak HTTP");
  ResponseHead head;
  SBX_CHECK_OK(parse_status_line(text.substr(0, line_end), head));
  SBX_TRY(head.headers, parse_fields(text.substr(line_end + 2), kMalformed));
  SBX_TRY(head.body, response_framing(head, to_head));
  head.keep_alive =
      wants_keep_alive(head.headers, head.version_minor) && head.body.kind != Framing::kUntilClose;
  return head;
}

}  // namespace

Result<std::optional<ResponseHead>> parse_response_head(std::string_view buffer, HeadScan& scan,
                                                        bool to_head) {
  while (true) {
    auto end = find_head_end(buffer, scan, kMalformed);
    if (!end) return fail(kMalformed, "upstream: " + end.error().message);
    if (!*end) return std::nullopt;
    SBX_TRY(ResponseHead head,
            parse_one(buffer.substr(scan.begin, **end - 2 - scan.begin), to_head));
    if (head.status == 101) return fail(kMalformed, "upstream switched protocols unasked");
    if (head.status >= 200) {
      head.head_bytes = **end;
      return std::optional<ResponseHead>(std::move(head));
    }
    if (**end > limits::kHeadBytesMax)
      return fail(kMalformed, "upstream sends interim responses without end");
    scan = {.begin = **end, .scanned = **end, .line_begin = **end};
  }
}

}  // namespace signalbox::http
