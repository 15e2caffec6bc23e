#include "upstream/token_finder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <functional>
#include <map>

#include "net/testing/fake_network.h"
#include "net/testing/manual_loop.h"

namespace signalbox::upstream {
namespace {

using net_testing::FakePeer;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;

KnownPrompt some(std::size_t count, std::uint32_t value = 1) {
  prompt::Tokenized prompt;
  prompt.ids.assign(count, value);
  return std::make_shared<const prompt::Tokenized>(std::move(prompt));
}

TEST(TokenCache, ForgetsWhatWasUsedLongestAgo) {
  TokenCache cache(3 * (64 + 400));
  for (std::uint64_t key = 1; key <= 3; ++key) cache.insert(key, some(100));
  EXPECT_TRUE(cache.find(1));
  cache.insert(4, some(100));
  EXPECT_FALSE(cache.find(2));
  EXPECT_TRUE(cache.find(1) && cache.find(3) && cache.find(4));
}

TEST(TokenCache, StaysInItsBound) {
  EXPECT_TRUE(rc::check([](const std::vector<std::pair<std::uint8_t, std::uint8_t>>& inserts) {
    TokenCache cache(1000);
    for (const auto& [key, count] : inserts) {
      cache.insert(key, some(count, key));
      RC_ASSERT(cache.bytes() <= 1000U);
      if (const auto found = cache.find(key)) RC_ASSERT(found->ids.size() == count);
    }
  }));
}

TEST(TokenizeAnswer, IsReadAsVllmWritesIt) {
  EXPECT_THAT(*parse_tokenize_answer(R"({"count":2,"max_model_len":9,"tokens":[7,128000]})"),
              ElementsAre(7, 128000));
  EXPECT_FALSE(parse_tokenize_answer(R"({"count":2})"));
  EXPECT_FALSE(parse_tokenize_answer(R"({"tokens":["a"]})"));
  EXPECT_FALSE(parse_tokenize_answer("<html>"));
}

std::string long_text(char c) { return std::string(4000, c); }

class TokenFinderTest : public testing::Test {
 protected:
  TokenFinderTest() : config(std::make_shared<config::Config>()) {
    config->own.kv_events.enabled = true;
    config::Model model;
    model.name = "m";
    for (const char* host : {"a", "b"}) {
      config::BackendRef backend;
      backend.host = host;
      model.backends.push_back(backend);
    }
    config->providers.models.push_back(model);
    set = table.publish(*config);
    for (const char* host : {"a:80", "b:80"}) {
      network.script(host, [this](FakePeer& peer) {
        ++asked;
        if (!answer.empty())
          peer.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: " +
                    std::to_string(answer.size()) + "\r\n\r\n" + answer);
      });
    }
  }
  ~TokenFinderTest() override { loop.run_task(finder.stop()); }

  exchange::PromptTokens find(const std::string& body,
                              exchange::Endpoint endpoint = exchange::Endpoint::kChatCompletions) {
    exchange::Exchange exchange;
    exchange.client.body = body;
    exchange.request.endpoint = endpoint;
    exchange.request.document = *json::Document::parse(exchange.client.body);
    exchange::Candidate candidate;
    candidate.model = &config->providers.models.front();
    candidate.upstream_name = "m";
    exchange.candidates.push_back(candidate);
    if (edit) edit(exchange);
    loop.run_task(finder.find(&exchange, {.config = config, .set = set, .tokenizers = tokenizers}));
    return std::move(exchange.tokens);
  }
  static std::string chat(const std::vector<std::string>& texts) {
    std::string body = R"({"model":"m","messages":[)";
    for (const auto& text : texts)
      body += (body.back() == '[' ? "" : ",") + (R"({"role":"user","content":")" + text) + "\"}";
    return body + "]}";
  }

  net_testing::ManualLoop loop;
  net_testing::FakeNetwork network{loop};
  http::ClientPool clients{loop, network};
  telemetry::Registry registry;
  telemetry::Instruments instruments{registry};
  std::shared_ptr<config::Config> config;
  discovery::EndpointTable table;
  std::shared_ptr<const discovery::EndpointSet> set;
  TokenFinder finder{loop, clients, instruments};
  std::string answer = R"({"count":3,"tokens":[1,2,3]})";
  std::shared_ptr<LocalTokenizers> tokenizers;
  std::function<void(exchange::Exchange&)> edit;
  int asked = 0;
};

TEST_F(TokenFinderTest, AsksAnEngineOnceForOnePrompt) {
  const auto first = find(chat({long_text('x')}));
  EXPECT_EQ(first.source, exchange::TokenSource::kEngine);
  EXPECT_THAT(*first.ids, ElementsAre(1, 2, 3));
  EXPECT_EQ(asked, 1);
  const auto second = find(chat({long_text('x')}));
  EXPECT_EQ(second.source, exchange::TokenSource::kCache);
  EXPECT_EQ(asked, 1);
}

TEST_F(TokenFinderTest, TheNextTurnGoesByTheLastOne) {
  find(chat({long_text('x')}));
  const auto next = find(chat({long_text('x'), "and now"}));
  EXPECT_EQ(next.source, exchange::TokenSource::kCache);
  EXPECT_EQ(next.ids->size(), 3U);
  // A long new turn is waited for.
  EXPECT_EQ(find(chat({long_text('x'), long_text('y')})).source, exchange::TokenSource::kEngine);
}

TEST_F(TokenFinderTest, WhatChangesTheRenderingIsAnotherPrompt) {
  find(chat({long_text('x')}));
  auto body = chat({long_text('x')});
  body.insert(1, R"("tools":[{"type":"function"}],)");
  EXPECT_EQ(find(body).source, exchange::TokenSource::kEngine);
  EXPECT_EQ(asked, 2);
}

TEST_F(TokenFinderTest, AnEngineThatKeepsSilentIsNotWaitedFor) {
  answer.clear();
  const TimePoint begun = loop.now();
  EXPECT_EQ(find(chat({long_text('x')})).source, exchange::TokenSource::kNone);
  EXPECT_LE(loop.now() - begun, milliseconds(150));  // 100, and a tick of the timers
}

TEST_F(TokenFinderTest, NonsenseIsNoTokens) {
  answer = "{}";
  EXPECT_EQ(find(chat({long_text('x')})).source, exchange::TokenSource::kNone);
}

TEST_F(TokenFinderTest, TokenIdsOfTheClientAreTaken) {
  const auto tokens =
      find(R"({"model":"m","prompt":[5,6,7],"cache_salt":"s"})", exchange::Endpoint::kCompletions);
  EXPECT_EQ(tokens.source, exchange::TokenSource::kBody);
  EXPECT_THAT(*tokens.ids, ElementsAre(5, 6, 7));
  EXPECT_EQ(tokens.cache_salt, "s");
  EXPECT_EQ(asked, 0);
}

TEST_F(TokenFinderTest, ShortPromptsAreNotWorthACall) {
  EXPECT_EQ(find(chat({"hello"})).source, exchange::TokenSource::kNone);
  EXPECT_EQ(asked, 0);
}

// With a tokenizer of the model that its engines agree with.
class LocalTokens : public TokenFinderTest {
 protected:
  LocalTokens() {
    auto local = std::make_shared<LocalTokenizer>();
    local->tokenizer = *prompt::PromptTokenizer::load(SIGNALBOX_SOURCE_DIR "/test/golden/prompt");
    local->agreed = local->tokenizer->features();
    tokenizers = std::make_shared<LocalTokenizers>();
    (*tokenizers)["m"] = std::move(local);
  }
  std::vector<std::uint32_t> reference(const std::string& body) const {
    const auto document = json::Document::parse(body);
    const auto& tokenizer = *tokenizers->at("m")->tokenizer;
    auto rendered = tokenizer.render(document->root(), prompt::BodyKind::kGeneration, seconds(0));
    return tokenizer.tokenize(*std::move(rendered), nullptr).ids;
  }
  std::uint64_t local() { return instruments.prompt_tokens_found.with("local").value(); }
};

TEST_F(LocalTokens, NeedNoEngine) {
  const std::string body = chat({long_text('x')});
  EXPECT_EQ(*find(body).ids, reference(body));
  const std::string next = chat({long_text('x'), "and now", "more"});
  EXPECT_EQ(*find(next).ids, reference(next));
  EXPECT_EQ(local(), 2U);
  EXPECT_EQ(find(next).source, exchange::TokenSource::kCache);
  EXPECT_EQ(asked, 0);
}

TEST_F(LocalTokens, AreNotUsedForWhatIsNotAgreedOn) {
  tokenizers->at("m")->agreed = prompt::kText | prompt::kTools;
  EXPECT_THAT(*find(chat({long_text('x')})).ids, ElementsAre(1, 2, 3));
  EXPECT_EQ(local(), 0U);
  const std::string text = R"({"model":"m","prompt":")" + long_text('y') + R"("})";
  EXPECT_EQ(*find(text, exchange::Endpoint::kCompletions).ids, reference(text));
}

TEST_F(LocalTokens, LeaveLongPromptsAndImagesToTheEngine) {
  EXPECT_THAT(*find(chat({std::string(limits::kLocalPromptBytesMax + 1, 'x')})).ids,
              ElementsAre(1, 2, 3));
  EXPECT_THAT(
      *find(R"({"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":")" +
            long_text('x') + R"("}}]}]})")
           .ids,
      ElementsAre(1, 2, 3));
  EXPECT_EQ(local(), 0U);
}

TEST_F(LocalTokens, AreOfTheBodyThatTheEngineGets) {
  const std::string body = chat({long_text('x')});
  edit = [](exchange::Exchange& exchange) {
    const auto messages = exchange.request.document.root().find("messages");
    ASSERT_TRUE(exchange.edits.body.insert_element(**messages, 0,
                                                   R"({"role":"system","content":"Be brief."})"));
  };
  std::string edited = body;
  edited.insert(edited.find(R"({"role")"), R"({"role":"system","content":"Be brief."},)");
  EXPECT_EQ(*find(body).ids, reference(edited));
  EXPECT_EQ(local(), 1U);
}

}  // namespace
}  // namespace signalbox::upstream
