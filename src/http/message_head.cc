#include "http/message_head.h"

#include <algorithm>
#include <string>
#include <vector>

#include "base/limits.h"
#include "base/text.h"
#include "http/syntax.h"

namespace signalbox::http {
namespace {

// Heads of clients and engines rarely hold more, with what we add.
constexpr std::size_t kFieldsReserved = 24;
constexpr std::size_t kAddedBytes = 512;
constexpr std::string_view kLineEnd = "\r\n";

constexpr Words kHopByHop = {"connection", "keep-alive",        "te",
                             "trailer",    "transfer-encoding", "upgrade"};

// The field in lines[begin, end), which ends before its CRLF.
Result<Headers::Place> parse_field(std::string_view lines, std::size_t begin, std::size_t end,
                                   Code malformed) {
  const auto line = lines.substr(begin, end - begin);
  if (line.empty()) return fail(malformed, "empty line inside the head");
  if (line.front() == ' ' || line.front() == '\t')
    return fail(malformed, "header lines must not be folded");
  const auto colon = line.find(':');
  if (colon == std::string_view::npos) return fail(malformed, "header line without a colon");
  const auto name = line.substr(0, colon);
  if (!is_token(name)) return fail(malformed, "header name is not a token");
  const auto value = trim(line.substr(colon + 1));
  if (!is_field_value(value))
    return fail(malformed, "control character in a header value", std::string(name));
  // An empty value lies wherever it likes.
  const auto value_begin =
      value.empty() ? begin + colon + 1 : static_cast<std::size_t>(value.data() - lines.data());
  return Headers::Place{static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(colon),
                        static_cast<std::uint32_t>(value_begin),
                        static_cast<std::uint32_t>(value.size()),
                        static_cast<std::uint32_t>(end + kLineEnd.size())};
}

}  // namespace

Result<std::optional<std::size_t>> find_head_end(std::string_view buffer, HeadScan& scan,
                                                 Code malformed) {
  while (true) {
    const auto feed = buffer.find('\n', scan.scanned);
    if (feed == std::string_view::npos) {
      scan.scanned = buffer.size();
      if (scan.scanned - scan.begin > limits::kHeadBytesMax) break;
      return std::nullopt;
    }
    if (feed == scan.line_begin || buffer[feed - 1] != '\r')
      return fail(malformed, "lines must end in CRLF");
    scan.scanned = feed + 1;
    if (scan.scanned - scan.begin > limits::kHeadBytesMax) break;
    const bool empty_line = feed - 1 == scan.line_begin;
    scan.line_begin = feed + 1;
    if (empty_line) return scan.scanned;
    // The first line is the start line, not a field.
    if (++scan.lines > limits::kHeaderCountMax + 1) break;
  }
  return fail(Code::kHeaderTooLarge, "message head is too large");
}

Result<Headers> parse_fields(std::string_view lines, Code malformed) {
  Headers headers;
  headers.take(lines, kFieldsReserved, kAddedBytes);
  for (std::size_t begin = 0; begin < lines.size();) {
    const auto end = lines.find(kLineEnd, begin);
    if (end == std::string_view::npos) return fail(malformed, "header line without its end");
    SBX_TRY(const Headers::Place place, parse_field(lines, begin, end, malformed));
    headers.add_taken(place);
    begin = place.end;
  }
  return headers;
}

Result<BodyFraming> declared_framing(const Headers& headers, int version_minor, Code malformed) {
  const std::size_t lengths = headers.count("content-length");
  const std::size_t codings = headers.count("transfer-encoding");
  if (codings > 0) {
    if (lengths > 0)
      return fail(malformed, "both Content-Length and Transfer-Encoding", "content-length");
    if (version_minor == 0)
      return fail(malformed, "Transfer-Encoding in HTTP/1.0", "transfer-encoding");
    if (codings > 1) return fail(malformed, "repeated Transfer-Encoding", "transfer-encoding");
    if (!equal_ignore_case(headers.get("transfer-encoding"), "chunked")) {
      return fail(malformed == Code::kInvalidArgument ? Code::kUnsupported : malformed,
                  "transfer coding is not supported; only chunked is", "transfer-encoding");
    }
    return BodyFraming{Framing::kChunked, 0};
  }
  if (lengths == 0) return BodyFraming{};
  if (lengths > 1) return fail(malformed, "repeated Content-Length", "content-length");
  const auto length = parse_uint(headers.get("content-length"));
  if (!length) return fail(malformed, "Content-Length is not a number", "content-length");
  return BodyFraming{Framing::kLength, *length};
}

bool connection_has(const Headers& headers, std::string_view option) {
  return std::ranges::any_of(headers.fields(), [&](const Headers::Field& field) {
    return equal_ignore_case(field.name, "connection") && list_has_token(field.value, option);
  });
}

bool wants_keep_alive(const Headers& headers, int version_minor) {
  if (connection_has(headers, "close")) return false;
  return version_minor >= 1 || connection_has(headers, "keep-alive");
}

void remove_hop_by_hop(Headers& headers) {
  std::vector<std::string> named;
  for (const auto& field : headers.fields()) {
    if (!equal_ignore_case(field.name, "connection")) continue;
    for (const auto option : split(field.value, ',')) named.emplace_back(option);
  }
  headers.remove_if([&](const Headers::Field& field) {
    const auto same = [&](std::string_view name) { return equal_ignore_case(field.name, name); };
    return kHopByHop.contains(field.name) || std::any_of(named.begin(), named.end(), same) ||
           starts_with_ignore_case(field.name, "proxy-");
  });
}

}  // namespace signalbox::http
