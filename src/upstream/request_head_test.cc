#include "upstream/request_head.h"

#include <gtest/gtest.h>

#include <string>

#include "base/text.h"
#include "http/request_head.h"
#include "upstream/credentials.h"

namespace signalbox::upstream {
namespace {

struct Fixture {
  Fixture() {
    client.request_id = "req-1";
    client.trace_id = "0af7651916cd43dd8448eb211c80319c";
    client.method = "POST";
    client.path = "/v1/chat/completions";
    client.headers.add("Content-Type", "application/json");
  }
  std::string head(std::size_t body_bytes = 12) {
    return request_head({.client = client,
                         .edits = edits,
                         .endpoint = endpoint,
                         .backend = backend,
                         .address = address,
                         .base_path = base_path,
                         .body_bytes = body_bytes,
                         .span_id = "b7ad6b7169203331"});
  }
  // Value of a field as an engine would read it, or "(none)".
  std::string field(const std::string& name) {
    http::HeadScan scan;
    const auto parsed = http::parse_request_head(head(), scan);
    if (!parsed || !*parsed) return "(malformed)";
    return std::string((*parsed)->headers.find(name).value_or("(none)"));
  }
  std::string line() { return head().substr(0, head().find("\r\n")); }

  exchange::ClientRequest client;
  exchange::Edits edits;
  exchange::Endpoint endpoint = exchange::Endpoint::kChatCompletions;
  config::BackendRef backend;
  net::Address address{"engine", 8000, false};
  std::string base_path;
};

TEST(RequestHead, NamesTheEngineTheLengthTheRequestAndTheTrace) {
  Fixture f;
  EXPECT_EQ(f.line(), "POST /v1/chat/completions HTTP/1.1");
  EXPECT_EQ(f.field("host"), "engine:8000");
  EXPECT_EQ(f.field("content-length"), "12");
  EXPECT_EQ(f.field("x-request-id"), "req-1");
  EXPECT_EQ(f.field("traceparent"), "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  EXPECT_EQ(f.field("accept-encoding"), "identity");
  EXPECT_EQ(f.field("content-type"), "application/json");
  f.client.trace_sampled = false;
  EXPECT_TRUE(f.field("traceparent").ends_with("-00"));
}

TEST(RequestHead, AddressesOfTheSixthVersionAreBracketedAndStandardPortsLeftOut) {
  Fixture f;
  f.address = {"::1", 8000, false};
  EXPECT_EQ(f.field("host"), "[::1]:8000");
  f.address = {"api.example", 443, true};
  EXPECT_EQ(f.field("host"), "api.example");
}

TEST(RequestHead, BasePathChatPathAndQueryMakeTheTarget) {
  Fixture f;
  f.base_path = "/tenant";
  f.client.query = "a=1";
  EXPECT_EQ(f.line(), "POST /tenant/v1/chat/completions?a=1 HTTP/1.1");
  f.backend.chat_path = "/chat/completions";
  EXPECT_EQ(f.line(), "POST /tenant/chat/completions?a=1 HTTP/1.1");
  f.backend.provider = "azure-openai";
  f.backend.api_version = "2024-10-21";
  EXPECT_EQ(f.line(), "POST /tenant/chat/completions?a=1&api-version=2024-10-21 HTTP/1.1");
  f.endpoint = exchange::Endpoint::kEmbeddings;
  f.client.path = "/v1/embeddings";
  f.client.query = "api-version=mine";
  EXPECT_EQ(f.line(), "POST /tenant/v1/embeddings?api-version=mine HTTP/1.1");
}

TEST(RequestHead, WhatIsForUsOrForOneConnectionDoesNotGoOn) {
  Fixture f;
  for (const char* name : {"Connection", "Keep-Alive", "TE", "Proxy-Authorization", "Upgrade",
                           "X-Vsr-Debug", "x-signalbox-hop", "X-Selected-Model",
                           "x-user-openai-key", "x-gateway-destination-endpoint", "Expect"}) {
    f.client.headers.add(name, "secret");
  }
  f.client.headers.add("X-Mine", "kept");
  const std::string head = f.head();
  EXPECT_EQ(head.find("secret"), std::string::npos) << head;
  EXPECT_EQ(f.field("x-mine"), "kept");
}

TEST(RequestHead, TheClientsOwnCredentialsPassWhereTheBackendHasNone) {
  Fixture f;
  f.client.headers.add("Authorization", "Bearer mine");
  EXPECT_EQ(f.field("authorization"), "Bearer mine");
}

TEST(RequestHead, ABackendsKeyReplacesEveryCredentialOfTheClient) {
  Fixture f;
  f.client.headers.add("Authorization", "Bearer mine");
  f.client.headers.add("x-api-key", "mine");
  f.client.headers.add("api-key", "mine");
  f.backend.api_key = Secret("theirs");
  EXPECT_EQ(f.field("authorization"), "Bearer theirs");
  f.backend.provider = "anthropic";
  EXPECT_EQ(f.field("x-api-key"), "theirs");
  EXPECT_EQ(f.field("anthropic-version"), "2023-06-01");
  f.backend.provider = "azure-openai";
  EXPECT_EQ(f.field("api-key"), "theirs");
  f.backend.provider.clear();
  f.backend.auth_header = "X-Key";
  f.backend.auth_prefix = "Token";
  EXPECT_EQ(f.field("x-key"), "Token theirs");
  EXPECT_EQ(f.head().find("mine"), std::string::npos);
}

TEST(RequestHead, PluginsAndExtraHeadersAreApplied) {
  Fixture f;
  f.client.headers.add("X-Drop", "1");
  f.edits.headers_removed = {"x-drop"};
  f.edits.headers_set = {{"x-add", "2"}};
  f.backend.extra_headers = {{"x-extra", "3"}};
  EXPECT_EQ(f.field("x-drop"), "(none)");
  EXPECT_EQ(f.field("x-add"), "2");
  EXPECT_EQ(f.field("x-extra"), "3");
}

// A value with a line break, from wherever, never becomes a line of the head.
TEST(RequestHead, NoValueCanAddALine) {
  Fixture f;
  f.edits.headers_set = {{"x-add", "1\r\nX-Evil: 1"}};
  f.backend.api_key = Secret("k\r\nX-Evil: 2");
  EXPECT_EQ(f.field("x-evil"), "(none)");
}

}  // namespace
}  // namespace signalbox::upstream
