#include "upstream/render.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <string>

namespace signalbox::upstream {
namespace {

using config::ReasoningFamily;
using config::ReasoningType;
using exchange::Candidate;
using exchange::Endpoint;

// A body that does not move, with the parts of Request that rendering reads.
struct Fixture {
  explicit Fixture(std::string body, Endpoint endpoint = Endpoint::kChatCompletions) {
    client.body = std::move(body);
    request.endpoint = endpoint;
    request.document = *json::Document::parse(client.body);
    request.stream = client.body.find("\"stream\":true") != std::string::npos;
  }
  std::string render(const Candidate& candidate, const ReasoningFamily* family = nullptr,
                     const RenderOptions& options = {}, const json::Patch& plugins = {}) const {
    auto body = render_body(client, request, plugins, candidate, family, options);
    return body ? body->str() : body.error().message;
  }
  exchange::ClientRequest client;
  exchange::Request request;
};

Candidate to(std::string upstream_name, std::optional<bool> use_reasoning = {},
             std::string effort = {}) {
  return {.upstream_name = std::move(upstream_name),
          .use_reasoning = use_reasoning,
          .reasoning_effort = std::move(effort)};
}

const ReasoningFamily kQwen{ReasoningType::kChatTemplateKwargs, "enable_thinking"};
const ReasoningFamily kGptOss{ReasoningType::kReasoningEffort, "reasoning_effort"};
const ReasoningFamily kMistral{ReasoningType::kTopLevelReasoningEffort, ""};

TEST(Render, SetsTheModelAndNothingElse) {
  EXPECT_EQ(Fixture(R"({ "x":1.0, "model" : "MoM" })").render(to("math\"adapter")),
            R"({ "x":1.0, "model" : "math\"adapter" })");
}

TEST(Render, SetsTheModelFieldOfAFormAndNothingElse) {
  Fixture fixture(R"({})", Endpoint::kAudio);
  fixture.client.body = "--x\r\n\"model\"\r\n\r\nMoM\r\n--x--";
  fixture.request = {};
  const std::size_t at = fixture.client.body.find("MoM");
  fixture.request.form_model = {at, at + 3};
  EXPECT_EQ(fixture.render(to("whisper-large", true), &kQwen),
            "--x\r\n\"model\"\r\n\r\nwhisper-large\r\n--x--");
}

TEST(Render, AModelThatIsRightAlreadyLeavesThePatchEmpty) {
  const Fixture fixture(R"({"mod\u0065l":"m\u0061th"})");
  const auto patch = render_patch(fixture.request, {}, to("math"), nullptr, {});
  ASSERT_TRUE(patch);
  EXPECT_TRUE(patch->empty());
}

TEST(Render, TemplateArgumentSaysReasoningOnOrOff) {
  EXPECT_EQ(Fixture(R"({"model":"m"})").render(to("m", true), &kQwen),
            R"({"chat_template_kwargs":{"enable_thinking":true},"model":"m"})");
  EXPECT_EQ(
      Fixture(R"({"model":"m","chat_template_kwargs":{ "a":1 }})").render(to("m", false), &kQwen),
      R"({"model":"m","chat_template_kwargs":{ "enable_thinking":false,"a":1 }})");
  EXPECT_EQ(Fixture(R"({"model":"m","chat_template_kwargs":{"enable_thinking":true}})")
                .render(to("m", false), &kQwen),
            R"({"model":"m","chat_template_kwargs":{"enable_thinking":false}})");
  EXPECT_EQ(Fixture(R"({"model":"m","chat_template_kwargs":null})").render(to("m", true), &kQwen),
            R"({"model":"m","chat_template_kwargs":{"enable_thinking":true}})");
}

TEST(Render, EffortStandsInOnePlaceByDialect) {
  const Fixture fixture(
      R"({"model":"m","reasoning_effort":"low","chat_template_kwargs":{"reasoning_effort":"low"}})");
  EXPECT_EQ(fixture.render(to("m", true, "high"), &kGptOss),
            R"({"model":"m","chat_template_kwargs":{"reasoning_effort":"high"}})");
  EXPECT_EQ(fixture.render(to("m", true, "high"), &kGptOss, {.dialect = Dialect::kHosted}),
            R"({"model":"m","reasoning_effort":"high","chat_template_kwargs":{}})");
  EXPECT_EQ(fixture.render(to("m", false), &kGptOss), R"({"model":"m","chat_template_kwargs":{}})");
  EXPECT_EQ(Fixture(R"({"model":"m"})").render(to("m", true), &kMistral),
            R"({"reasoning_effort":"medium","model":"m"})");
}

TEST(Render, WithoutAFamilyAnIncomingEffortGoesButOnlyUnderADecision) {
  const Fixture fixture(R"({"model":"m","reasoning_effort":"low"})");
  EXPECT_EQ(fixture.render(to("m", false)), R"({"model":"m"})");
  EXPECT_EQ(fixture.render(to("m")), R"({"model":"m","reasoning_effort":"low"})");
  EXPECT_EQ(fixture.render(to("m"), &kQwen), R"({"model":"m","reasoning_effort":"low"})");
}

TEST(Render, OnTheResponsesApiEffortStandsInReasoning) {
  const Fixture fixture(R"({"model":"m","reasoning":{"effort":"low","summary":"auto"}})",
                        Endpoint::kResponses);
  EXPECT_EQ(fixture.render(to("m", true, "high"), &kGptOss),
            R"({"model":"m","reasoning":{"effort":"high","summary":"auto"}})");
  EXPECT_EQ(fixture.render(to("m", false), &kGptOss),
            R"({"model":"m","reasoning":{"summary":"auto"}})");
}

TEST(Render, AsksStreamsForUsage) {
  const RenderOptions options{.add_include_usage = true};
  EXPECT_EQ(Fixture(R"({"model":"m","stream":true})").render(to("m"), nullptr, options),
            R"({"stream_options":{"include_usage":true},"model":"m","stream":true})");
  EXPECT_EQ(Fixture(R"({"model":"m","stream":true,"stream_options":{"include_usage":false,"x":1}})")
                .render(to("m"), nullptr, options),
            R"({"model":"m","stream":true,"stream_options":{"include_usage":true,"x":1}})");
  EXPECT_EQ(Fixture(R"({"model":"m","stream":false})").render(to("m"), nullptr, options),
            R"({"model":"m","stream":false})");
  EXPECT_EQ(Fixture(R"({"model":"m","stream":true})", Endpoint::kMessages)
                .render(to("m"), nullptr, options),
            R"({"model":"m","stream":true})");
}

TEST(Render, ComposesWithPluginEditsAlsoOnTheSameField) {
  const Fixture fixture(R"({"model":"MoM","messages":[],"chat_template_kwargs":{"x":1},"n":5})");
  const json::Value root = fixture.request.document.root();
  json::Patch plugins;
  ASSERT_TRUE(plugins.insert_element(**root.find("messages"), 0, "{}"));
  ASSERT_TRUE(plugins.remove_member(root, "chat_template_kwargs"));
  ASSERT_TRUE(plugins.set_member(root, "n", "1"));
  EXPECT_EQ(
      fixture.render(to("math", true), &kQwen, {}, plugins),
      R"({"model":"math","messages":[{}],"chat_template_kwargs":{"enable_thinking":true},"n":1})");
}

TEST(Render, OneAttemptLeavesNoTraceInTheNext) {
  const Fixture fixture(R"({"model":"MoM"})");
  EXPECT_EQ(fixture.render(to("a", true), &kQwen),
            R"({"chat_template_kwargs":{"enable_thinking":true},"model":"a"})");
  EXPECT_EQ(fixture.render(to("b")), R"({"model":"b"})");
}

TEST(Render, BodiesWithoutAModelFieldOnUnknownPathsStayAsTheyAre) {
  EXPECT_EQ(Fixture(R"({"lora_name":"x"})", Endpoint::kOther).render(to("m")),
            R"({"lora_name":"x"})");
  EXPECT_EQ(Fixture("[1]", Endpoint::kOther).render(to("m")), "[1]");
}

TEST(Render, AChatForAnAnthropicModelIsRefusedWithTheWayOut) {
  EXPECT_EQ(Fixture(R"({"model":"m"})").render(to("m"), nullptr, {.api_format = "anthropic"}),
            "this model speaks Anthropic's API: use /v1/messages");
}

TEST(DialectOf, HostedApisAreToldByProviderOrHost) {
  EXPECT_EQ(dialect_of("", "vllm.default.svc"), Dialect::kEngine);
  EXPECT_EQ(dialect_of("", "api.openai.com"), Dialect::kHosted);
  EXPECT_EQ(dialect_of("", "notopenai.com"), Dialect::kEngine);
  EXPECT_EQ(dialect_of("openai", "10.0.0.1"), Dialect::kHosted);
}

TEST(RenderProperty, EveryByteOutsideTheEditedFieldsIsUnchanged) {
  EXPECT_TRUE(rc::check([](const std::string& text, const std::string& name, bool on) {
    // The unknown parts surround the model field; whatever they hold must come through as written.
    const std::string before =
        R"({ "k1" : )" + json::quote(text) + R"( ,"nested":{"model":"inner", "a":[1.50,1e2]},)";
    const std::string after =
        R"(  ,"messages":[{"role":"user","content":)" + json::quote(text) + "}]\n}";
    const Fixture fixture(before + R"("model":"MoM")" + after);
    const std::string inserted = std::string(R"("chat_template_kwargs":{"enable_thinking":)") +
                                 (on ? "true" : "false") + "},";
    std::string expected = before + R"("model":)" + json::quote(name) + after;
    expected.insert(2, inserted);
    RC_ASSERT(fixture.render(to(name, on), &kQwen) == expected);
  }));
}

TEST(Render, ThePrefillHalfIsOneTokenInOnePiece) {
  const Fixture fixture(
      R"({"model":"m","stream":true,"stream_options":{"include_usage":true},"max_tokens":50,"min_tokens":9,"n":2})");
  EXPECT_EQ(fixture.render(to("m"), nullptr, {.prefill_half = true, .asks_for_transfer = false}),
            R"({"model":"m","stream":false,"max_tokens":1})");
}

TEST(Render, ThePrefillHalfAsksItsEngineToKeepTheBlocks) {
  const Fixture fixture(R"({"model":"m","max_completion_tokens":50})");
  const std::string body =
      fixture.render(to("m"), nullptr, {.add_include_usage = true, .prefill_half = true});
  EXPECT_NE(body.find(R"("max_completion_tokens":1})"), std::string::npos) << body;
  EXPECT_NE(body.find(R"("kv_transfer_params":{"do_remote_decode":true,)"), std::string::npos);
  EXPECT_EQ(body.find("include_usage"), std::string::npos);
}

TEST(Render, TheDecodeHalfIsToldWhereTheBlocksAre) {
  const Fixture fixture(R"({"model":"m","max_tokens":50})");
  EXPECT_EQ(fixture.render(to("m"), nullptr, {.kv_transfer_params = R"({"x":1})"}),
            R"({"kv_transfer_params":{"x":1},"model":"m","max_tokens":50})");
}

}  // namespace
}  // namespace signalbox::upstream
