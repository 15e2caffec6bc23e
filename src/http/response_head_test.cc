#include "http/response_head.h"

#include <gtest/gtest.h>

#include <string>

#include "base/limits.h"

namespace signalbox::http {
namespace {

Result<std::optional<ResponseHead>> parse(std::string_view text, bool to_head = false) {
  HeadScan scan;
  return parse_response_head(text, scan, to_head);
}

ResponseHead parse_ok(std::string_view text, bool to_head = false) {
  auto head = parse(text, to_head);
  EXPECT_TRUE(head.has_value()) << head.error().message;
  EXPECT_TRUE(head->has_value());
  return head && *head ? **head : ResponseHead{};
}

bool refused(std::string_view text) {
  const auto head = parse(text);
  return !head && head.error().code == Code::kUpstreamProtocol;
}

TEST(ResponseHead, ReadsStatusFieldsAndFraming) {
  const std::string text = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nServer: uvicorn\r\n\r\nhello";
  const auto head = parse_ok(text);
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.headers.get("server"), "uvicorn");
  EXPECT_EQ(head.body.kind, Framing::kLength);
  EXPECT_EQ(head.body.length, 5U);
  EXPECT_TRUE(head.keep_alive);
  EXPECT_EQ(text.substr(head.head_bytes), "hello");
}

TEST(ResponseHead, AcceptsAMissingReason) {
  EXPECT_EQ(parse_ok("HTTP/1.1 503\r\n\r\n").status, 503);
  EXPECT_EQ(parse_ok("HTTP/1.1 503 \r\n\r\n").status, 503);
}

TEST(ResponseHead, KnowsWhichResponsesHaveNoBody) {
  EXPECT_EQ(parse_ok("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n").body.kind,
            Framing::kNone);
  EXPECT_EQ(parse_ok("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n").body.kind,
            Framing::kNone);
  EXPECT_EQ(parse_ok("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", true).body.kind,
            Framing::kNone);
  EXPECT_EQ(parse_ok("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").body.kind, Framing::kNone);
  EXPECT_EQ(parse_ok("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").body.kind,
            Framing::kChunked);
}

TEST(ResponseHead, ReadsToTheCloseWithoutALengthAndThenDoesNotReuseTheConnection) {
  const auto head = parse_ok("HTTP/1.1 200 OK\r\n\r\n");
  EXPECT_EQ(head.body.kind, Framing::kUntilClose);
  EXPECT_FALSE(head.keep_alive);
  EXPECT_TRUE(parse_ok("HTTP/1.1 204 No Content\r\n\r\n").keep_alive);
  EXPECT_FALSE(parse_ok("HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n").keep_alive);
  EXPECT_FALSE(
      parse_ok("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\n").keep_alive);
}

TEST(ResponseHead, SkipsInterimResponsesAtAnySplit) {
  const std::string text =
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 201 "
      "Created\r\n\r\n";
  HeadScan scan;
  for (std::size_t size = 0; size < text.size(); ++size) {
    const auto head = parse_response_head(std::string_view(text).substr(0, size), scan, false);
    ASSERT_TRUE(head.has_value() && !head->has_value()) << size;
  }
  const auto head = parse_response_head(text, scan, false);
  ASSERT_TRUE(head.has_value() && head->has_value());
  EXPECT_EQ((*head)->status, 201);
  EXPECT_EQ((*head)->head_bytes, text.size());
}

TEST(ResponseHead, RefusesInterimResponsesWithoutEnd) {
  std::string text;
  while (text.size() <= limits::kHeadBytesMax) text += "HTTP/1.1 100 Continue\r\n\r\n";
  EXPECT_TRUE(refused(text));
}

TEST(ResponseHead, RefusesWhatIsNotHttpOrIsAmbiguous) {
  EXPECT_TRUE(refused("SSH-2.0-x\r\n\r\n"));
  EXPECT_TRUE(refused("\r\n\r\n"));
  EXPECT_TRUE(refused("HTTP/2 200\r\n\r\n"));
  EXPECT_TRUE(refused("HTTP/1.1 20 OK\r\n\r\n"));
  EXPECT_TRUE(refused("HTTP/1.1 2000 OK\r\n\r\n"));
  EXPECT_TRUE(refused("HTTP/1.1 099 OK\r\n\r\n"));
  EXPECT_TRUE(refused("HTTP/1.1 +20 OK\r\n\r\n"));
  EXPECT_TRUE(refused("HTTP/1.1 101 Switching Protocols\r\n\r\n"));
  EXPECT_TRUE(refused("HTTP/1.1 200 OK\nContent-Length: 1\n\n"));
  EXPECT_TRUE(
      refused("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"));
  EXPECT_TRUE(refused("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n"));
  EXPECT_TRUE(refused("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n"));
  EXPECT_TRUE(refused("HTTP/1.1 200 OK\r\nA: " + std::string(limits::kHeadBytesMax, 'x')));
}

TEST(RemoveHopByHop, LeavesOnlyEndToEndFields) {
  Headers headers;
  headers.add("Connection", "x-private, Close");
  headers.add("connection", "other");
  for (const auto* name : {"X-Private", "Other", "Keep-Alive", "TE", "Trailer", "Transfer-Encoding",
                           "Upgrade", "Proxy-Connection", "Proxy-Authenticate"}) {
    headers.add(name, "v");
  }
  headers.add("Content-Type", "text/plain");
  remove_hop_by_hop(headers);
  ASSERT_EQ(headers.fields().size(), 1U);
  EXPECT_EQ(headers.fields()[0].name, "Content-Type");
}

}  // namespace
}  // namespace signalbox::http
