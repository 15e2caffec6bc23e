#include "http/message_writer.h"

#include <gtest/gtest.h>

#include <chrono>

namespace signalbox::http {
namespace {

using std::chrono::seconds;

TEST(MessageWriter, WritesARequestHead) {
  Headers headers;
  headers.add("Host", "client-said");
  headers.add("content-length", "99");
  headers.add("Connection", "close");
  headers.add("Accept", "*/*");
  std::string out;
  append_request_head(out, {.method = "POST", .target = "/v1/x?a", .host = "[::1]:80"}, headers,
                      {Framing::kLength, 5});
  EXPECT_EQ(out,
            "POST /v1/x?a HTTP/1.1\r\nHost: [::1]:80\r\nAccept: */*\r\nContent-Length: 5\r\n\r\n");
}

TEST(MessageWriter, SaysThatAPostWithoutBodyIsEmpty) {
  std::string out;
  append_request_head(out, {.method = "POST", .target = "/", .host = "a"}, {}, {});
  EXPECT_NE(out.find("Content-Length: 0\r\n"), std::string::npos);
  out.clear();
  append_request_head(out, {.method = "GET", .target = "/", .host = "a"}, {}, {});
  EXPECT_EQ(out.find("Content-Length"), std::string::npos);
}

TEST(MessageWriter, WritesResponseHeads) {
  Headers headers;
  headers.add("X-A", "b");
  headers.add("Date", "upstream's");
  std::string out;
  append_response_head(out, {.status = 200, .date = "D"}, headers, {Framing::kChunked, 0});
  EXPECT_EQ(out, "HTTP/1.1 200 OK\r\nDate: D\r\nX-A: b\r\nTransfer-Encoding: chunked\r\n\r\n");
  out.clear();
  append_response_head(out, {.status = 404, .keep_alive = false}, {}, {});
  EXPECT_EQ(out, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
  out.clear();
  append_response_head(out, {.status = 204, .version_minor = 0}, {}, {});
  EXPECT_EQ(out, "HTTP/1.1 204 No Content\r\nConnection: keep-alive\r\n\r\n");
}

TEST(MessageWriter, LetsNoValueAddALine) {
  std::string out;
  append_field(out, "X-Decision", "math\r\nSet-Cookie: a=b\0");
  EXPECT_EQ(out, "X-Decision: math  Set-Cookie: a=b\r\n");
  out.clear();
  append_field(out, "Bad Name\r\nX", "v");
  append_field(out, "", "v");
  EXPECT_EQ(out, "");
}

TEST(DateCache, FormatsAsRfc9110AndFollowsTheClock) {
  DateCache dates;
  EXPECT_EQ(dates.at(seconds(784111777)), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(dates.at(seconds(784111778)), "Sun, 06 Nov 1994 08:49:38 GMT");
  EXPECT_EQ(dates.at(seconds(1709164800)), "Thu, 29 Feb 2024 00:00:00 GMT");
}

TEST(MessageWriter, PseudoHeadersOfHttp2AreHeldButNotWritten) {
  Headers headers;
  headers.add(":path", "/v1/models");
  headers.add("x-a", "1");
  EXPECT_EQ(headers.get(":path"), "/v1/models");
  std::string request;
  append_request_head(request, {.method = "GET", .target = "/", .host = "h"}, headers, {});
  EXPECT_EQ(request, "GET / HTTP/1.1\r\nHost: h\r\nx-a: 1\r\n\r\n");
  std::string response;
  append_response_head(response, {.status = 204}, headers, {});
  EXPECT_EQ(response, "HTTP/1.1 204 No Content\r\nx-a: 1\r\n\r\n");
}

}  // namespace
}  // namespace signalbox::http
