#include "http/message_writer.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cstdint>
#include <limits>

#include "base/text.h"
#include "http/syntax.h"

namespace signalbox::http {
namespace {

struct Reason {
  int status;
  std::string_view phrase;
};
// RFC 9110 section 15; 499 is nginx's, known to operators.
constexpr Reason kReasons[] = {
    {100, "Continue"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {206, "Partial Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {413, "Content Too Large"},
    {415, "Unsupported Media Type"},
    {417, "Expectation Failed"},
    {422, "Unprocessable Content"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {499, "Client Closed Request"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
};

// Of HTTP/2; lines of their own have no place in HTTP/1.
bool is_pseudo(std::string_view name) { return name.starts_with(':'); }

// Fields that say what only the writer knows.
constexpr Words kOwnRequestFields = {"host", "content-length", "transfer-encoding", "connection",
                                     "expect"};
constexpr Words kOwnResponseFields = {"content-length", "transfer-encoding", "connection", "date"};
constexpr Words kMethodsWithBody = {"POST", "PUT", "PATCH"};

void append_number(std::string& out, std::uint64_t number) {
  std::array<char, std::numeric_limits<std::uint64_t>::digits10 + 1> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  out.append(digits.data(), end);
}

// Room for a whole head at once: fields with their separators, and what the writers add themselves.
void reserve_head(std::string& out, const Headers& headers) {
  constexpr std::size_t kOwnBytes = 256;
  out.reserve(out.size() + headers.bytes() + kOwnBytes);
}

void append_framing(std::string& out, BodyFraming body, bool zero_length) {
  switch (body.kind) {
    case Framing::kLength:
      out += "Content-Length: ";
      append_number(out, body.length);
      out += "\r\n";
      return;
    case Framing::kChunked:
      out += "Transfer-Encoding: chunked\r\n";
      return;
    case Framing::kNone:
      if (zero_length) out += "Content-Length: 0\r\n";
      return;
    case Framing::kUntilClose:
      return;
  }
}

}  // namespace

std::string_view reason_phrase(int status) {
  for (const auto& reason : kReasons) {
    if (reason.status == status) return reason.phrase;
  }
  return {};
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
  if (!is_token(name)) return;
  out.append(name).append(": ");
  value = trim(value);
  if (is_field_value(value)) {
    out.append(value);
  } else {
    for (const char c : value) out += is_field_value({&c, 1}) ? c : ' ';
  }
  out.append("\r\n");
}

void append_request_head(std::string& out, const RequestLine& line, const Headers& headers,
                         BodyFraming body) {
  reserve_head(out, headers);
  out.append(line.method).append(" ").append(line.target).append(" HTTP/1.1\r\n");
  append_field(out, "Host", line.host);
  for (const auto& field : headers.fields()) {
    if (is_pseudo(field.name) || kOwnRequestFields.contains(field.name)) continue;
    out.append(field.line);
  }
  append_framing(out, body, kMethodsWithBody.contains(line.method));
  out.append("\r\n");
}

void append_response_head(std::string& out, const StatusLine& line, const Headers& headers,
                          BodyFraming body) {
  reserve_head(out, headers);
  out += "HTTP/1.1 ";
  append_number(out, static_cast<std::uint64_t>(line.status));
  out.append(" ").append(reason_phrase(line.status)).append("\r\n");
  if (!line.date.empty()) append_field(out, "Date", line.date);
  for (const auto& field : headers.fields()) {
    if (is_pseudo(field.name) || kOwnResponseFields.contains(field.name)) continue;
    out.append(field.line);
  }
  const bool bodiless = line.status < 200 || line.status == 204 || line.status == 304;
  if (!bodiless) append_framing(out, body, !line.to_head);
  if (!line.keep_alive) {
    out.append("Connection: close\r\n");
  } else if (line.version_minor == 0) {
    out.append("Connection: keep-alive\r\n");
  }
  out.append("\r\n");
}

std::string_view DateCache::at(std::chrono::nanoseconds unix_time) {
  const auto second = std::chrono::floor<std::chrono::seconds>(unix_time);
  if (second == second_) return text_;
  second_ = second;
  static constexpr std::array<std::string_view, 7> kDays = {"Sun", "Mon", "Tue", "Wed",
                                                            "Thu", "Fri", "Sat"};
  static constexpr std::array<std::string_view, 12> kMonths = {
      "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::chrono::sys_seconds point(second);
  const auto day = std::chrono::floor<std::chrono::days>(point);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss time(point - day);
  text_ =
      fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT",
                  kDays[std::chrono::weekday(day).c_encoding()], static_cast<unsigned>(date.day()),
                  kMonths[static_cast<unsigned>(date.month()) - 1], static_cast<int>(date.year()),
                  time.hours().count(), time.minutes().count(), time.seconds().count());
  return text_;
}

}  // namespace signalbox::http
