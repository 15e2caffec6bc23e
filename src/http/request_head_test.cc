#include "http/request_head.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <string>
#include <vector>

#include "base/limits.h"
#include "http/message_writer.h"

namespace signalbox::http {
namespace {

Result<std::optional<RequestHead>> parse(std::string_view text) {
  HeadScan scan;
  return parse_request_head(text, scan);
}

RequestHead parse_ok(std::string_view text) {
  auto head = parse(text);
  EXPECT_TRUE(head.has_value()) << head.error().message;
  EXPECT_TRUE(head->has_value());
  return head && *head ? **head : RequestHead{};
}

// The code the text is refused with; kInternal when it is not refused.
Code refusal(std::string_view text) {
  const auto head = parse(text);
  return head ? Code::kInternal : head.error().code;
}

std::string get(std::string_view fields) {
  return "GET / HTTP/1.1\r\nHost: a\r\n" + std::string(fields) + "\r\n";
}

TEST(RequestHead, ReadsAllPartsOfAnOrdinaryRequest) {
  const std::string text =
      "POST /v1/chat/completions?x=1&y HTTP/1.1\r\nHost: router:8080\r\nContent-Type: "
      "application/json \r\n"
      "content-length: 17\r\nX-Empty:\r\n\r\n{\"model\"";
  const auto head = parse_ok(text);
  EXPECT_EQ(head.method, "POST");
  EXPECT_EQ(head.path, "/v1/chat/completions");
  EXPECT_EQ(head.query, "x=1&y");
  EXPECT_EQ(head.authority, "router:8080");
  EXPECT_EQ(head.headers.get("content-type"), "application/json");
  EXPECT_TRUE(head.headers.has("x-empty"));
  EXPECT_EQ(head.body.kind, Framing::kLength);
  EXPECT_EQ(head.body.length, 17U);
  EXPECT_TRUE(head.keep_alive);
  EXPECT_FALSE(head.expect_continue);
  EXPECT_EQ(text.substr(head.head_bytes), "{\"model\"");
}

TEST(RequestHead, TakesTheHostOfAnAbsoluteTarget) {
  const auto head = parse_ok("GET http://other:81/p?q HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(head.authority, "other:81");
  EXPECT_EQ(head.path, "/p");
  EXPECT_EQ(head.query, "q");
  EXPECT_EQ(parse_ok("GET http://other HTTP/1.1\r\nHost: a\r\n\r\n").path, "/");
  EXPECT_EQ(parse_ok("GET http://other?q HTTP/1.1\r\nHost: a\r\n\r\n").query, "q");
}

TEST(RequestHead, SkipsOneEmptyLineBeforeTheHead) {
  const std::string text = "\r\n" + get("");
  EXPECT_EQ(parse_ok(text).head_bytes, text.size());
  EXPECT_EQ(refusal("\r\n\r\n" + get("")), Code::kInvalidArgument);
}

TEST(RequestHead, KeepsTheConnectionAsVersionAndConnectionSay) {
  EXPECT_TRUE(parse_ok(get("")).keep_alive);
  EXPECT_FALSE(parse_ok(get("Connection: foo, Close\r\n")).keep_alive);
  EXPECT_FALSE(parse_ok("GET / HTTP/1.0\r\n\r\n").keep_alive);
  EXPECT_TRUE(parse_ok("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n").keep_alive);
}

TEST(RequestHead, RefusesAmbiguousBodyLengths) {
  EXPECT_EQ(refusal(get("Content-Length: 1\r\nContent-Length: 2\r\n")), Code::kInvalidArgument);
  EXPECT_EQ(refusal(get("Content-Length: 1\r\nContent-Length: 1\r\n")), Code::kInvalidArgument);
  EXPECT_EQ(refusal(get("Content-Length: 1, 1\r\n")), Code::kInvalidArgument);
  for (const auto* value : {"", "+1", "-1", "0x1", "1 2", "18446744073709551616"}) {
    EXPECT_EQ(refusal(get("Content-Length: " + std::string(value) + "\r\n")),
              Code::kInvalidArgument)
        << value;
  }
  EXPECT_EQ(refusal(get("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n")),
            Code::kInvalidArgument);
  EXPECT_EQ(refusal(get("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n")),
            Code::kInvalidArgument);
  EXPECT_EQ(refusal("GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"),
            Code::kInvalidArgument);
  EXPECT_EQ(refusal(get("Transfer-Encoding: gzip, chunked\r\n")), Code::kUnsupported);
  EXPECT_EQ(refusal(get("Transfer-Encoding: identity\r\n")), Code::kUnsupported);
  EXPECT_EQ(parse_ok(get("Transfer-Encoding: Chunked\r\n")).body.kind, Framing::kChunked);
  EXPECT_EQ(parse_ok(get("Content-Length: 0\r\n")).body.kind, Framing::kNone);
}

TEST(RequestHead, RefusesLineEndsAndSpacesThatOtherParsersReadDifferently) {
  EXPECT_EQ(refusal("GET / HTTP/1.1\nHost: a\n\n"), Code::kInvalidArgument);
  EXPECT_EQ(refusal("GET / HTTP/1.1\r\nHost: a\n\r\n"), Code::kInvalidArgument);
  EXPECT_EQ(refusal(get("A: b\rContent-Length: 5\r\n")), Code::kInvalidArgument);
  EXPECT_EQ(refusal(get("Content-Length : 5\r\n")), Code::kInvalidArgument);
  EXPECT_EQ(refusal(get("A: b\r\n folded\r\n")), Code::kInvalidArgument);
  EXPECT_EQ(refusal(get(": no name\r\n")), Code::kInvalidArgument);
  EXPECT_EQ(refusal(get("no colon\r\n")), Code::kInvalidArgument);
  EXPECT_EQ(refusal(get(std::string("A: b\0c\r\n", 8))), Code::kInvalidArgument);
  EXPECT_EQ(refusal(get("A: b\x7f\r\n")), Code::kInvalidArgument);
  EXPECT_EQ(parse_ok(get("A: caf\xc3\xa9\tx\r\n")).headers.get("a"), "caf\xc3\xa9\tx");
}

TEST(RequestHead, RefusesMalformedRequestLines) {
  for (const auto* line :
       {"GET / HTTP/1.1 ", "GET  / HTTP/1.1", "GET /a b HTTP/1.1", "GET /", "GET / http/1.1",
        "G@T / HTTP/1.1", "GET /\x01 HTTP/1.1", "GET /\xc3\xa9 HTTP/1.1", "GET /#f HTTP/1.1",
        "GET * HTTP/1.1", "CONNECT a:1 HTTP/1.1", "GET ftp://a/ HTTP/1.1", "GET http:///x HTTP/1.1",
        "GET http://u@a/ HTTP/1.1"}) {
    EXPECT_EQ(refusal(std::string(line) + "\r\nHost: a\r\n\r\n"), Code::kInvalidArgument) << line;
  }
  EXPECT_EQ(refusal("GET / HTTP/2.0\r\nHost: a\r\n\r\n"), Code::kHttpVersion);
}

TEST(RequestHead, WantsExactlyOneHost) {
  EXPECT_EQ(refusal("GET / HTTP/1.1\r\n\r\n"), Code::kInvalidArgument);
  EXPECT_EQ(refusal(get("Host: b\r\n")), Code::kInvalidArgument);
  EXPECT_EQ(refusal("GET / HTTP/1.1\r\nHost: a b\r\n\r\n"), Code::kInvalidArgument);
  EXPECT_EQ(refusal("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"), Code::kInvalidArgument);
  EXPECT_EQ(parse_ok("GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n").authority, "[::1]:80");
}

TEST(RequestHead, KnowsOnlyTheContinueExpectation) {
  EXPECT_TRUE(parse_ok(get("Expect: 100-Continue\r\nContent-Length: 5\r\n")).expect_continue);
  EXPECT_FALSE(parse_ok(get("Expect: 100-continue\r\n")).expect_continue);
  EXPECT_EQ(refusal(get("Expect: 200-ok\r\n")), Code::kExpectationFailed);
}

TEST(RequestHead, EndsAtItsLimits) {
  EXPECT_EQ(refusal("GET /" + std::string(limits::kHeadBytesMax, 'a')), Code::kHeaderTooLarge);
  std::string many;
  for (std::size_t i = 0; i + 1 < limits::kHeaderCountMax; ++i) many += "A: b\r\n";
  EXPECT_EQ(parse_ok(get(many)).headers.fields().size(), limits::kHeaderCountMax);
  EXPECT_EQ(refusal(get(many + "A: b\r\n")), Code::kHeaderTooLarge);
}

TEST(RequestHead, RefusesOtherProtocolsAtTheirFirstByte) {
  EXPECT_EQ(refusal("\x16\x03\x01"), Code::kInvalidArgument);
  EXPECT_EQ(refusal("{"), Code::kInvalidArgument);
}

TEST(RequestHead, LooksAtEachByteOnceWhileItWaits) {
  const std::string text = get("A: " + std::string(1000, 'x') + "\r\n");
  HeadScan scan;
  for (std::size_t size = 0; size < text.size(); ++size) {
    const auto head = parse_request_head(std::string_view(text).substr(0, size), scan);
    ASSERT_TRUE(head.has_value());
    ASSERT_FALSE(head->has_value());
    ASSERT_EQ(scan.scanned, size);
  }
  ASSERT_TRUE(parse_request_head(text, scan)->has_value());
}

rc::Gen<std::string> gen_value() {
  return rc::gen::container<std::string>(
      rc::gen::oneOf(rc::gen::inRange('!', '\x7f'), rc::gen::just('\t')));
}

RC_GTEST_PROP(RequestHead, ReadsBackWhatTheWriterWrote, ()) {
  Headers headers;
  std::vector<std::string> values;
  const auto count = *rc::gen::inRange(0, 20);
  for (int i = 0; i < count; ++i) {
    values.push_back(*gen_value());
    headers.add("x-" + std::to_string(i), values.back());
  }
  const auto length = *rc::gen::inRange<std::uint64_t>(1, 1 << 30);
  std::string text = *rc::gen::element<std::string>("", "\r\n");
  append_request_head(text, {.method = "PUT", .target = "/a?b", .host = "h:1"}, headers,
                      {Framing::kLength, length});
  const auto head = parse_ok(text);
  RC_ASSERT(head.head_bytes == text.size());
  RC_ASSERT(head.body.length == length);
  RC_ASSERT(head.headers.fields().size() == values.size() + 2);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto first = values[i].find_first_not_of('\t');
    const auto trimmed =
        first == std::string::npos
            ? std::string()
            : values[i].substr(first, values[i].find_last_not_of('\t') - first + 1);
    RC_ASSERT(head.headers.get("x-" + std::to_string(i)) == trimmed);
  }
}

RC_GTEST_PROP(RequestHead, JudgesTheSameHoweverTheBytesArrive, (std::vector<std::uint8_t> noise)) {
  std::string text = get("Content-Length: 3\r\n") + "abc";
  for (const auto byte : noise)
    text[*rc::gen::inRange<std::size_t>(0, text.size())] = static_cast<char>(byte % 64);
  const auto whole = parse(text);
  HeadScan scan;
  for (std::size_t size = 0; size <= text.size(); ++size) {
    const auto head = parse_request_head(std::string_view(text).substr(0, size), scan);
    if (!head) {
      RC_ASSERT(!whole.has_value());
      return;
    }
    if (!*head) continue;
    RC_ASSERT(whole.has_value() && whole->has_value());
    RC_ASSERT((*head)->head_bytes == (*whole)->head_bytes);
    return;
  }
  RC_ASSERT(whole.has_value() && !whole->has_value());
}

}  // namespace
}  // namespace signalbox::http
