#include "plugins/plugins.h"

#include <gtest/gtest.h>

#include <string>

#include "plugins/header_mutation.h"
#include "plugins/request_params.h"

namespace signalbox::plugins {
namespace {

using config::PromptMode;
using exchange::Endpoint;

struct Fixture {
  explicit Fixture(std::string body, Endpoint endpoint = Endpoint::kChatCompletions) {
    client.body = std::move(body);
    request.endpoint = endpoint;
    request.document = *json::Document::parse(client.body);
  }
  std::string body_with(const config::Plugins& plugins) const {
    const auto edits = apply_plugins(plugins, request, client);
    return edits ? edits->body.apply(client.body) : edits.error().message;
  }
  exchange::ClientRequest client;
  exchange::Request request;
};

std::string prompted(std::string body, PromptMode mode,
                     Endpoint endpoint = Endpoint::kChatCompletions) {
  config::Plugins plugins;
  plugins.system_prompt = config::SystemPromptPlugin{true, "You \"count\".", mode};
  return Fixture(std::move(body), endpoint).body_with(plugins);
}

std::string limited(std::string body, config::RequestParamsPlugin params,
                    Endpoint endpoint = Endpoint::kChatCompletions) {
  config::Plugins plugins;
  plugins.request_params = std::move(params);
  return Fixture(std::move(body), endpoint).body_with(plugins);
}

TEST(SystemPrompt, WithoutASystemMessageOneIsPutFirst) {
  for (const PromptMode mode : {PromptMode::kReplace, PromptMode::kInsert, PromptMode::kAppend}) {
    EXPECT_EQ(
        prompted(R"({"messages":[ {"role":"user","content":"x"}]})", mode),
        R"({"messages":[ {"role":"system","content":"You \"count\"."},{"role":"user","content":"x"}]})");
  }
}

TEST(SystemPrompt, ReplacesTheFirstSystemOrDeveloperText) {
  EXPECT_EQ(
      prompted(
          R"({"messages":[{"role":"developer", "content":"old","name":"n"},{"role":"system","content":"2"}]})",
          PromptMode::kReplace),
      R"({"messages":[{"role":"developer", "content":"You \"count\".","name":"n"},{"role":"system","content":"2"}]})");
  EXPECT_EQ(prompted(R"({"messages":[{"role":"system","content":[{"type":"text","text":"a"}]}]})",
                     PromptMode::kReplace),
            R"({"messages":[{"role":"system","content":"You \"count\"."}]})");
}

TEST(SystemPrompt, InsertAndAppendKeepTheClientsTextAsItWasWritten) {
  const std::string body = R"({"messages":[{"role":"system","content":"caf\u00e9\n"}]})";
  EXPECT_EQ(prompted(body, PromptMode::kInsert),
            R"({"messages":[{"role":"system","content":"You \"count\".\n\ncaf\u00e9\n"}]})");
  EXPECT_EQ(prompted(body, PromptMode::kAppend),
            R"({"messages":[{"role":"system","content":"caf\u00e9\n\n\nYou \"count\"."}]})");
}

TEST(SystemPrompt, OfPartsTheOuterOneIsEdited) {
  const std::string body =
      R"({"messages":[{"role":"system","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}]})";
  EXPECT_EQ(
      prompted(body, PromptMode::kInsert),
      R"({"messages":[{"role":"system","content":[{"type":"text","text":"You \"count\".\n\na"},{"type":"text","text":"b"}]}]})");
  EXPECT_EQ(
      prompted(body, PromptMode::kAppend),
      R"({"messages":[{"role":"system","content":[{"type":"text","text":"a"},{"type":"text","text":"b\n\nYou \"count\"."}]}]})");
  EXPECT_EQ(
      prompted(R"({"messages":[{"role":"system","content":[]}]})", PromptMode::kAppend),
      R"({"messages":[{"role":"system","content":[{"type":"text","text":"You \"count\"."}]}]})");
}

TEST(SystemPrompt, AnEmptyOrNullTextIsSimplySet) {
  for (const char* empty : {"\"\"", "null"}) {
    EXPECT_EQ(prompted(std::string(R"({"messages":[{"role":"system","content":)") + empty + "}]}",
                       PromptMode::kInsert),
              R"({"messages":[{"role":"system","content":"You \"count\"."}]})");
  }
}

TEST(SystemPrompt, HasItsPlaceInEveryApi) {
  EXPECT_EQ(prompted(R"({"messages":[]})", PromptMode::kInsert, Endpoint::kMessages),
            R"({"system":"You \"count\".","messages":[]})");
  EXPECT_EQ(prompted(R"({"system":[{"type":"text","text":"a","cache_control":{}}]})",
                     PromptMode::kAppend, Endpoint::kMessages),
            R"({"system":[{"type":"text","text":"a\n\nYou \"count\".","cache_control":{}}]})");
  EXPECT_EQ(prompted(R"({"instructions":"a"})", PromptMode::kInsert, Endpoint::kResponses),
            R"({"instructions":"You \"count\".\n\na"})");
  EXPECT_EQ(prompted(R"({"prompt":"a"})", PromptMode::kReplace, Endpoint::kCompletions),
            R"({"prompt":"You \"count\".\n\na"})");
  EXPECT_EQ(prompted(R"({"prompt":["a"]})", PromptMode::kReplace, Endpoint::kCompletions),
            R"({"prompt":["a"]})");
  EXPECT_EQ(prompted(R"({"input":"a"})", PromptMode::kReplace, Endpoint::kEmbeddings),
            R"({"input":"a"})");
}

TEST(SystemPrompt, SaysWhetherItWasInjected) {
  config::Plugins plugins;
  plugins.system_prompt = config::SystemPromptPlugin{.system_prompt = "p"};
  const auto injected = [&](const Fixture& fixture) {
    return apply_plugins(plugins, fixture.request, fixture.client)->injected_system_prompt;
  };
  EXPECT_TRUE(injected(Fixture(R"({"messages":[]})")));
  EXPECT_FALSE(injected(Fixture(R"({"prompt":[1]})", Endpoint::kCompletions)));
  plugins.system_prompt->enabled = false;
  EXPECT_FALSE(injected(Fixture(R"({"messages":[]})")));
}

TEST(RequestParams, BlockedParametersGoButNeverTheRequestItself) {
  EXPECT_EQ(limited(R"({"model":"m","logprobs":true,"messages":[],"seed":1})",
                    {.blocked_params = {"logprobs", "seed", "model", "messages", "absent"}}),
            R"({"model":"m","messages":[]})");
}

TEST(RequestParams, NumbersAboveTheLimitsAreLoweredWhereTheyStand) {
  const config::RequestParamsPlugin limits{.max_tokens_limit = 100, .max_n = 2};
  EXPECT_EQ(limited(R"({"max_tokens": 4000,"max_completion_tokens":100,"n":3})", limits),
            R"({"max_tokens": 100,"max_completion_tokens":100,"n":2})");
  EXPECT_EQ(limited(R"({"max_tokens":1e3,"n":null})", limits), R"({"max_tokens":100,"n":null})");
  EXPECT_EQ(limited(R"({"max_tokens":99999999999999999999})", limits), R"({"max_tokens":100})");
  EXPECT_EQ(limited(R"({"max_output_tokens":500})", limits, Endpoint::kResponses),
            R"({"max_output_tokens":100})");
  EXPECT_EQ(limited("{}", limits), "{}");
}

TEST(RequestParams, UnknownFieldsAreStrippedWhereTheFieldsAreKnown) {
  const config::RequestParamsPlugin strip{.strip_unknown = true};
  EXPECT_EQ(limited(R"({"model":"m","x_custom":1,"top_k":5,"y":{}})", strip),
            R"({"model":"m","top_k":5})");
  EXPECT_EQ(limited(R"({"x_custom":1})", strip, Endpoint::kOther), R"({"x_custom":1})");
  EXPECT_TRUE(is_known_field("chat_template_kwargs"));
  EXPECT_FALSE(is_known_field("chat_template_kwarg"));
}

TEST(RequestParams, ABlockedFieldDoesNotTakeOurOwnPromptWithIt) {
  config::Plugins plugins;
  plugins.request_params = config::RequestParamsPlugin{.blocked_params = {"instructions"}};
  plugins.system_prompt = config::SystemPromptPlugin{.system_prompt = "ours"};
  EXPECT_EQ(
      Fixture(R"({"instructions":"theirs","input":"x"})", Endpoint::kResponses).body_with(plugins),
      R"({"instructions":"ours","input":"x"})");
}

TEST(HeaderMutation, AddsJoinUpdatesReplaceRemovesDrop) {
  Fixture fixture("{}");
  fixture.client.headers.add("X-Team", "a");
  config::Plugins plugins;
  plugins.header_mutation = config::HeaderMutationPlugin{.add = {{"x-team", "b"}, {"x-new", "1"}},
                                                         .update = {{"x-tier", "gold"}},
                                                         .remove = {"x-old"}};
  const auto edits = apply_plugins(plugins, fixture.request, fixture.client);
  ASSERT_TRUE(edits);
  using Pairs = std::vector<std::pair<std::string, std::string>>;
  EXPECT_EQ(edits->headers_set, (Pairs{{"x-team", "a, b"}, {"x-new", "1"}, {"x-tier", "gold"}}));
  EXPECT_EQ(edits->headers_removed, std::vector<std::string>{"x-old"});
}

TEST(HeaderMutation, FramingConnectionAndOwnHeadersAreRefused) {
  for (const char* name : {"Content-Length", "transfer-encoding", "Host", "connection",
                           "X-Signalbox-Hop", "x-vsr-selected-model", "", "a b", "a:b"}) {
    EXPECT_FALSE(is_mutable_header(name)) << name;
  }
  EXPECT_TRUE(is_mutable_header("authorization"));
  config::Plugins plugins;
  plugins.header_mutation = config::HeaderMutationPlugin{.add = {{"x-a", "1\r\nx-b: 2"}}};
  const Fixture fixture("{}");
  EXPECT_FALSE(apply_plugins(plugins, fixture.request, fixture.client));
  plugins.header_mutation = config::HeaderMutationPlugin{.remove = {"host"}};
  EXPECT_FALSE(apply_plugins(plugins, fixture.request, fixture.client));
}

TEST(FastResponse, AnswersTextApisAndSkipsEverythingElse) {
  config::Plugins plugins;
  plugins.fast_response = config::FastResponsePlugin{"No."};
  plugins.system_prompt = config::SystemPromptPlugin{.system_prompt = "p"};
  const Fixture chat(R"({"messages":[]})");
  const auto answered = apply_plugins(plugins, chat.request, chat.client);
  EXPECT_EQ(answered->fast_response, "No.");
  EXPECT_TRUE(answered->body.empty());
  const Fixture embeddings(R"({"input":"x"})", Endpoint::kEmbeddings);
  EXPECT_FALSE(apply_plugins(plugins, embeddings.request, embeddings.client)->fast_response);
}

}  // namespace
}  // namespace signalbox::plugins
