#include "sim/server.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "http/chunked.h"
#include "http/response_head.h"
#include "json/document.h"
#include "json/splice.h"

namespace signalbox::sim {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

struct Answered {
  bool torn = false;  // the connection ended before the answer was complete, or it was no HTTP
  int status = 0;
  http::Headers headers;
  std::string body;
};

// A plain blocking client: the engine runs on a thread of its own.
class Client {
 public:
  explicit Client(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }
  ~Client() { ::close(socket_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void send(std::string_view bytes) const {
    ASSERT_EQ(::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }
  // More bytes, or false at the end.
  bool read() {
    char chunk[4096];
    const ssize_t size = ::recv(socket_, chunk, sizeof chunk, 0);
    if (size <= 0) return false;
    buffer_.append(chunk, static_cast<std::size_t>(size));
    return true;
  }
  void read_until(std::string_view text) {
    while (buffer_.find(text) == std::string::npos) ASSERT_TRUE(read()) << buffer_;
  }
  Answered receive() {
    Answered answered;
    http::HeadScan scan;
    std::optional<http::ResponseHead> head;
    while (!head) {
      auto parsed = http::parse_response_head(buffer_, scan, false);
      if (!parsed) return Answered{.torn = true};
      head = *std::move(parsed);
      if (!head && !read()) return Answered{.torn = true};
    }
    answered.status = head->status;
    answered.headers = head->headers;
    buffer_.erase(0, head->head_bytes);
    read_body(*head, answered);
    return answered;
  }
  Answered ask(std::string_view method, std::string_view path, std::string_view body = "",
               std::string_view headers = "") {
    send(fmt::format("{} {} HTTP/1.1\r\nHost: sim\r\nContent-Length: {}\r\n{}\r\n{}", method, path,
                     body.size(), headers, body));
    return receive();
  }

 private:
  void read_body(const http::ResponseHead& head, Answered& answered) {
    http::ChunkDecoder decoder(Code::kUpstreamProtocol);
    while (true) {
      if (head.body.kind == http::Framing::kChunked) {
        const auto step = decoder.next(buffer_);
        if (!step) {
          answered.torn = true;
          return;
        }
        answered.body += step->payload;
        buffer_.erase(0, step->consumed);
        if (decoder.done()) return;
        if (step->consumed > 0) continue;
      } else if (buffer_.size() >= head.body.length) {
        answered.body = buffer_.substr(0, head.body.length);
        buffer_.erase(0, head.body.length);
        return;
      }
      if (!read()) {
        answered.torn = true;
        answered.body += buffer_;
        return;
      }
    }
  }

  int socket_;
  bool connected_ = false;
  std::string buffer_;
};

class SimServer : public ::testing::Test {
 protected:
  void start(EngineOptions options) {
    options.adapters = {"math-expert", "law-expert"};
    std::vector<EngineOptions> engines;
    engines.push_back(std::move(options));
    auto started = Background::start(std::move(engines));
    ASSERT_TRUE(started.has_value()) << started.error().message;
    background_ = *std::move(started);
  }
  void SetUp() override { start({.name = "e1"}); }
  std::uint16_t port() const { return background_->ports().front(); }

  std::unique_ptr<Background> background_;
};

constexpr const char* kQuestion =
    R"({"model":"math-expert","messages":[{"role":"system","content":"You are a mathematics expert."},)"
    R"({"role":"user","content":"What is the derivative of f(x) = x^3?"}],"chat_template_kwargs":{"enable_thinking":true}})";

TEST_F(SimServer, TheFoundingQuestionIsAnsweredAndTheAnswerSaysWhoAnsweredIt) {
  Client client(port());
  const Answered answered = client.ask("POST", "/v1/chat/completions", kQuestion);
  EXPECT_EQ(answered.status, 200);
  EXPECT_EQ(answered.headers.get("x-sim-engine"), "e1");
  EXPECT_THAT(answered.body,
              AllOf(HasSubstr("simulated answer of adapter 'math-expert'"),
                    HasSubstr("reasoning on"), HasSubstr("You are a mathematics expert."),
                    HasSubstr("3x^2"), HasSubstr(R"("finish_reason":"stop")"),
                    HasSubstr("reasoning_content"), HasSubstr(R"("model":"math-expert")")));
  EXPECT_TRUE(json::Document::parse(answered.body).has_value());
}

TEST_F(SimServer, AStreamIsRoleContentFinishUsageDoneAndItsTextIsThatOfTheWholeAnswer) {
  Client client(port());
  const std::string body =
      R"({"model":"base-model","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"hi \"you\" é"}]})";
  const Answered answered = client.ask("POST", "/v1/chat/completions", body);
  EXPECT_THAT(std::string(answered.headers.get("content-type")), StartsWith("text/event-stream"));
  EXPECT_THAT(answered.body, EndsWith("data: [DONE]\n\n"));
  std::string text;
  std::vector<std::string> kinds;
  for (std::size_t at = 0; at < answered.body.size();) {
    const std::size_t end = answered.body.find("\n\n", at);
    const std::string data = answered.body.substr(at + 6, end - at - 6);
    at = end + 2;
    if (data == "[DONE]") break;
    const auto document = json::Document::parse(data);
    ASSERT_TRUE(document.has_value()) << data;
    const auto choices = document->root().find("choices").value().value();
    if (choices.size() == 0) {
      kinds.emplace_back("usage");
      EXPECT_TRUE(document->root().find("usage").value().has_value());
      continue;
    }
    const auto choice = choices.elements().front();
    const auto delta = choice.find("delta").value().value();
    if (delta.find("role").value()) kinds.emplace_back("role");
    if (const auto content = delta.find("content").value()) text += content->string();
    if (!choice.find("finish_reason").value()->is_null()) kinds.emplace_back("finish");
  }
  EXPECT_EQ(kinds, (std::vector<std::string>{"role", "finish", "usage"}));
  const Answered whole =
      client.ask("POST", "/v1/chat/completions",
                 R"({"model":"base-model","messages":[{"role":"user","content":"hi \"you\" é"}]})");
  EXPECT_THAT(whole.body, HasSubstr(json::quote(text)));
}

TEST_F(SimServer, MaxTokensEndsTheAnswerAndUsageCountsIt) {
  Client client(port());
  const Answered answered = client.ask(
      "POST", "/v1/chat/completions",
      R"({"model":"base-model","max_tokens":3,"messages":[{"role":"user","content":"abcdefgh"}]})",
      "x-sim-tokens: 100\r\n");
  EXPECT_THAT(answered.body, AllOf(HasSubstr(R"("completion_tokens":3)"),
                                   HasSubstr(R"("finish_reason":"length")")));
}

TEST_F(SimServer, AnUnknownModelIsNotFoundAsInVllm) {
  Client client(port());
  const Answered answered =
      client.ask("POST", "/v1/chat/completions",
                 R"({"model":"gpt-9","messages":[{"role":"user","content":"x"}]})");
  EXPECT_EQ(answered.status, 404);
  EXPECT_THAT(answered.body,
              AllOf(HasSubstr("The model `gpt-9` does not exist."), HasSubstr("NotFoundError")));
}

TEST_F(SimServer, BadBodiesAre400AndTheConnectionGoesOn) {
  Client client(port());
  for (const char* body :
       {"", "{", "[]", R"({"model":5})", R"({"model":"base-model"})",
        R"({"model":"base-model","messages":[]})",
        R"({"model":"base-model","max_tokens":0,"messages":[{"role":"user","content":"x"}]})"}) {
    EXPECT_EQ(client.ask("POST", "/v1/chat/completions", body).status, 400) << body;
  }
  EXPECT_EQ(client.ask("GET", "/health").status, 200);
}

TEST_F(SimServer, ARequiredToolIsCalledWholeAndStreamed) {
  Client client(port());
  const std::string tools =
      R"("tools":[{"type":"function","function":{"name":"get_weather","parameters":{}}}])";
  const std::string rest =
      R"({"model":"base-model","messages":[{"role":"user","content":"Oslo?"}],"tool_choice":"required",)";
  const Answered whole = client.ask("POST", "/v1/chat/completions", rest + tools + "}");
  EXPECT_THAT(whole.body, AllOf(HasSubstr(R"("name":"get_weather")"),
                                HasSubstr(R"("finish_reason":"tool_calls")")));
  const Answered streamed =
      client.ask("POST", "/v1/chat/completions", rest + R"("stream":true,)" + tools + "}");
  EXPECT_THAT(streamed.body,
              AllOf(HasSubstr(R"("name":"get_weather")"),
                    HasSubstr(R"("finish_reason":"tool_calls")"), HasSubstr("[DONE]")));
  const Answered left_to_model = client.ask(
      "POST", "/v1/chat/completions",
      R"({"model":"base-model","messages":[{"role":"user","content":"please get_weather now"}],)" +
          tools + "}");
  EXPECT_THAT(left_to_model.body, HasSubstr("tool_calls\":[{"));
}

TEST_F(SimServer, EveryOtherPathOfTheApiAnswersJson) {
  Client client(port());
  const struct {
    const char* path;
    const char* body;
    const char* expected;
  } cases[] = {
      {"/v1/completions", R"({"model":"base-model","prompt":"derivative of x^3"})",
       "text_completion"},
      {"/v1/responses", R"({"model":"base-model","input":"derivative of x^3"})", "output_text"},
      {"/v1/messages",
       R"({"model":"base-model","max_tokens":50,"messages":[{"role":"user","content":"x"}]})",
       "end_turn"},
      {"/v1/embeddings", R"({"model":"base-model","input":["a","b"]})",
       R"("index":1,"object":"embedding")"},
      {"/v1/rerank", R"({"model":"base-model","query":"red fox","documents":["blue","a red fox"]})",
       R"("results":[{"index":1)"},
      {"/v1/score", R"({"model":"base-model","text_1":"red","text_2":["red","blue"]})",
       R"("score":1)"},
      {"/tokenize", R"({"model":"base-model","prompt":"Hello"})", R"("count":2)"},
  };
  for (const auto& one : cases) {
    const Answered answered = client.ask("POST", one.path, one.body);
    EXPECT_EQ(answered.status, 200) << one.path << answered.body;
    EXPECT_THAT(answered.body, HasSubstr(one.expected)) << one.path;
    EXPECT_TRUE(json::Document::parse(answered.body).has_value()) << answered.body;
  }
}

TEST_F(SimServer, TokensTurnBackIntoTheirText) {
  Client client(port());
  const std::string text = "Grüße, 世界! 🙂";
  const Answered tokens = client.ask("POST", "/tokenize", R"({"prompt":")" + text + "\"}");
  const auto begin = tokens.body.find('[');
  const std::string list = tokens.body.substr(begin, tokens.body.find(']') - begin + 1);
  const Answered back = client.ask("POST", "/detokenize", R"({"tokens":)" + list + "}");
  EXPECT_EQ(back.body, R"({"prompt":")" + text + "\"}");
}

TEST_F(SimServer, StreamsOfTheOtherApisParseEventByEvent) {
  Client client(port());
  const std::pair<const char*, const char*> cases[] = {
      {"/v1/completions", R"({"model":"base-model","stream":true,"prompt":"x"})"},
      {"/v1/responses", R"({"model":"base-model","stream":true,"input":"x"})"},
      {"/v1/messages",
       R"({"model":"base-model","stream":true,"messages":[{"role":"user","content":"x"}]})"},
  };
  for (const auto& [path, body] : cases) {
    const Answered answered = client.ask("POST", path, body);
    ASSERT_EQ(answered.status, 200) << answered.body;
    int events = 0;
    for (std::size_t at = answered.body.find("data: "); at != std::string::npos;
         at = answered.body.find("data: ", at + 1)) {
      const std::string data = answered.body.substr(at + 6, answered.body.find('\n', at) - at - 6);
      ++events;
      if (data == "[DONE]") continue;
      EXPECT_TRUE(json::Document::parse(data).has_value()) << data;
    }
    EXPECT_GT(events, 5) << path;
  }
}

TEST_F(SimServer, ModelsListAdaptersWithTheirParentAndAdaptersComeAndGo) {
  Client client(port());
  EXPECT_THAT(client.ask("GET", "/v1/models").body,
              AllOf(HasSubstr(R"("id":"base-model")"),
                    HasSubstr(R"("root":"math-expert","parent":"base-model")")));
  EXPECT_EQ(
      client.ask("POST", "/v1/load_lora_adapter", R"({"lora_name":"new","lora_path":"/x"})").status,
      200);
  EXPECT_THAT(client.ask("GET", "/v1/models").body, HasSubstr(R"("id":"new")"));
  EXPECT_EQ(
      client.ask("POST", "/v1/load_lora_adapter", R"({"lora_name":"new","lora_path":"/x"})").status,
      400);
  EXPECT_EQ(client.ask("POST", "/v1/unload_lora_adapter", R"({"lora_name":"new"})").status, 200);
  EXPECT_THAT(client.ask("GET", "/v1/models").body, Not(HasSubstr(R"("id":"new")")));
}

TEST_F(SimServer, TheSecondEqualPromptHitsThePrefixCacheAndTheMetricsSaySo) {
  Client client(port());
  const std::string body = R"({"model":"base-model","messages":[{"role":"user","content":")" +
                           std::string(640, 'a') + "\"}]}";
  EXPECT_THAT(client.ask("POST", "/v1/chat/completions", body).body,
              HasSubstr(R"("cached_tokens":0)"));
  EXPECT_THAT(client.ask("POST", "/v1/chat/completions", body).body,
              HasSubstr(R"("cached_tokens":160)"));
  const std::string metrics = client.ask("GET", "/metrics").body;
  EXPECT_THAT(
      metrics,
      AllOf(
          HasSubstr("vllm:prefix_cache_hits_total{engine=\"0\",model_name=\"base-model\"} 160\n"),
          HasSubstr("vllm:num_requests_running{engine=\"0\",model_name=\"base-model\"} 0\n"),
          HasSubstr(
              "vllm:time_to_first_token_seconds_count{engine=\"0\",model_name=\"base-model\"} 2\n"),
          HasSubstr("finished_reason=\"stop\",model_name=\"base-model\"} 2\n")));
}

TEST_F(SimServer, WhatTheEngineSawIsReadBackByteForByte) {
  Client client(port());
  client.ask("POST", "/v1/chat/completions", kQuestion, "X-Probe: 1\r\n");
  EXPECT_EQ(client.ask("GET", "/sim/last/body").body, kQuestion);
  const std::string last = client.ask("GET", "/sim/last").body;
  EXPECT_THAT(
      last, AllOf(HasSubstr(R"(["X-Probe","1"])"), HasSubstr(R"("path":"/v1/chat/completions")")));
  EXPECT_TRUE(json::Document::parse(last).has_value());
}

TEST_F(SimServer, PipelinedRequestsAndChunkedBodiesAreAnsweredInOrder) {
  Client client(port());
  client.send(
      "GET /version HTTP/1.1\r\nHost: s\r\n\r\n"
      "POST /tokenize HTTP/1.1\r\nHost: s\r\nTransfer-Encoding: chunked\r\n\r\n"
      "5\r\n{\"pro\r\nb\r\nmpt\":\"abcd\"\r\n1\r\n}\r\n0\r\n\r\n"
      "GET /health HTTP/1.1\r\nHost: s\r\n\r\n");
  EXPECT_THAT(client.receive().body, HasSubstr("version"));
  EXPECT_THAT(client.receive().body, HasSubstr(R"("count":1)"));
  EXPECT_EQ(client.receive().status, 200);
}

TEST_F(SimServer, AHeaderOrdersAStatusWithRetryAfter) {
  Client client(port());
  const Answered answered = client.ask("POST", "/v1/chat/completions", kQuestion,
                                       "x-sim-status: 429\r\nx-sim-retry-after: 7\r\n");
  EXPECT_EQ(answered.status, 429);
  EXPECT_EQ(answered.headers.get("retry-after"), "7");
}

TEST_F(SimServer, ACutAnswerEndsAfterExactlySoManyBytes) {
  for (const bool stream : {false, true}) {
    Client client(port());
    std::string body = kQuestion;
    if (stream) body.insert(1, R"("stream":true,)");
    const Answered answered =
        client.ask("POST", "/v1/chat/completions", body, "x-sim-cut-after-bytes: 300\r\n");
    EXPECT_EQ(answered.status, 200);
    EXPECT_TRUE(answered.torn);
    EXPECT_EQ(answered.body.size(), 300U);
  }
}

TEST_F(SimServer, MalformedHeadsChunksAndFramesAreSentWhenOrdered) {
  std::string streaming = kQuestion;
  streaming.insert(1, R"("stream":true,)");
  EXPECT_TRUE(Client(port())
                  .ask("POST", "/v1/chat/completions", kQuestion, "x-sim-malformed: head\r\n")
                  .torn);
  for (const std::string& body : {std::string(kQuestion), streaming}) {
    const Answered answered =
        Client(port()).ask("POST", "/v1/chat/completions", body, "x-sim-malformed: chunk\r\n");
    EXPECT_EQ(answered.status, 200);
    EXPECT_TRUE(answered.torn);
  }
  const Answered frame =
      Client(port()).ask("POST", "/v1/chat/completions", streaming, "x-sim-malformed: frame\r\n");
  EXPECT_FALSE(frame.torn);
  EXPECT_THAT(frame.body, HasSubstr("{\"delta\":\n\n"));
}

TEST_F(SimServer, ControlMakesTheWholeEngineFailDropAndRecover) {
  Client client(port());
  EXPECT_THAT(client.ask("POST", "/sim/ctl?fail=1&status=502&health=503").body,
              HasSubstr(R"("fail":1,"status":502)"));
  EXPECT_EQ(client.ask("POST", "/v1/chat/completions", kQuestion).status, 502);
  EXPECT_EQ(client.ask("GET", "/health").status, 503);
  EXPECT_EQ(client.ask("POST", "/sim/ctl?nonsense=1").status, 400);
  client.ask("POST", "/sim/ctl?reset=1&drop=1");
  EXPECT_TRUE(Client(port()).ask("POST", "/v1/chat/completions", kQuestion).torn);
  client.ask("POST", "/sim/ctl?reset=1");
  EXPECT_EQ(client.ask("POST", "/v1/chat/completions", kQuestion).status, 200);
}

// Waits for a state that the engine reaches when it has handled what was sent; each look is a request of its own.
void wait_for_last(Client& client, std::string_view expected) {
  while (client.ask("GET", "/sim/last").body.find(expected) == std::string::npos) {
  }
}

TEST_F(SimServer, AClientThatLeavesAPacedStreamFreesItsPlace) {
  Client watcher(port());
  {
    Client client(port());
    std::string body = kQuestion;
    body.insert(1, R"("stream":true,)");
    client.send(
        fmt::format("POST /v1/chat/completions HTTP/1.1\r\nHost: s\r\nx-sim-itl-ms: 3600000\r\n"
                    "Content-Length: {}\r\n\r\n{}",
                    body.size(), body));
    client.read_until("role");
    wait_for_last(watcher, R"("running":1)");
  }
  wait_for_last(watcher, R"("running":0)");
  EXPECT_THAT(watcher.ask("GET", "/sim/last").body, HasSubstr(R"("aborted":1)"));
}

TEST_F(SimServer, AHangingEngineLetsGoWhenTheClientLeaves) {
  Client watcher(port());
  watcher.ask("POST", "/sim/ctl?hang=1");
  {
    Client client(port());
    client.send("POST /v1/chat/completions HTTP/1.1\r\nHost: s\r\nContent-Length: 2\r\n\r\n{}");
    wait_for_last(watcher, R"("connections":2)");
    wait_for_last(watcher, R"("requests":1)");
  }
  wait_for_last(watcher, R"("connections":1)");
}

TEST_F(SimServer, AQueuedRequestStartsWhenTheRunningOneEnds) {
  start({.name = "narrow", .running_max = 1});
  Client watcher(port());
  Client queued(port());
  {
    Client running(port());
    const std::string head = "POST /v1/chat/completions HTTP/1.1\r\nHost: s\r\nContent-Length: ";
    const std::string_view body = kQuestion;
    running.send(fmt::format("{}{}\r\nx-sim-ttft-ms: 3600000\r\n\r\n{}", head, body.size(), body));
    wait_for_last(watcher, R"("running":1)");
    queued.send(fmt::format("{}{}\r\n\r\n{}", head, body.size(), body));
    wait_for_last(watcher, R"("waiting":1)");
  }
  EXPECT_EQ(queued.receive().status, 200);
}

TEST_F(SimServer, ItEndsWhileConnectionsAreBusyPausedAndIdle) {
  Client idle(port());
  idle.ask("GET", "/health");
  Client paused(port());
  paused.send(
      "POST /v1/chat/completions HTTP/1.1\r\nHost: s\r\nx-sim-delay-ms: 3600000\r\nContent-Length: "
      "2\r\n\r\n{}");
  wait_for_last(idle, R"("requests":1)");
  background_.reset();
  EXPECT_FALSE(paused.read());
}

}  // namespace
}  // namespace signalbox::sim
