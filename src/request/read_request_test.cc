#include "request/read_request.h"

#include <gtest/gtest.h>

#include <string>

namespace signalbox::request {
namespace {

using exchange::Endpoint;

// A request and the bytes its views point into.
class Read {
 public:
  Read(std::string path, std::string body, std::string content_type = "application/json") {
    client_.method = "POST";
    client_.path = std::move(path);
    client_.body = std::move(body);
    client_.headers.add("Content-Type", std::move(content_type));
    result_ = read_request(client_);
  }
  const exchange::Request& operator*() const { return *result_; }
  const exchange::Request* operator->() const { return &*result_; }
  bool ok() const { return result_.has_value(); }
  std::string error() const { return result_ ? "accepted" : result_.error().message; }
  std::string param() const { return result_ ? "accepted" : result_.error().param; }
  bool points_into_body(std::string_view text) const {
    return text.data() >= client_.body.data() &&
           text.data() <= client_.body.data() + client_.body.size();
  }

 private:
  exchange::ClientRequest client_;
  Result<exchange::Request> result_ = fail(Code::kInternal, "not read");
};

Read chat(std::string body) { return {"/v1/chat/completions", std::move(body)}; }

std::string messages_of(const Read& read) {
  std::string all;
  for (const exchange::Message& message : read->messages) {
    all += std::string(message.role) + ":" + std::string(message.text);
    if (message.has_image) all += "+image";
    if (message.has_tool_calls) all += "+calls";
    all += '|';
  }
  return all;
}

TEST(EndpointOf, KnowsPathsWithAndWithoutVersion) {
  EXPECT_EQ(endpoint_of("/v1/chat/completions"), Endpoint::kChatCompletions);
  EXPECT_EQ(endpoint_of("/chat/completions"), Endpoint::kChatCompletions);
  EXPECT_EQ(endpoint_of("/v1/rerank"), Endpoint::kRerank);
  EXPECT_EQ(endpoint_of("/v2/rerank"), Endpoint::kRerank);
  EXPECT_EQ(endpoint_of("/score"), Endpoint::kScore);
  EXPECT_EQ(endpoint_of("/v1/audio/transcriptions"), Endpoint::kAudio);
  EXPECT_EQ(endpoint_of("/v1/chat/completions/"), Endpoint::kOther);
  EXPECT_EQ(endpoint_of("/v1/images/generations"), Endpoint::kOther);
}

TEST(ReadRequest, ReadsAChatCompletionWithoutCopyingPlainText) {
  const Read read = chat(
      R"({"model":"MoM","stream":true,"stream_options":{"include_usage":true},"max_tokens":9,"user":"u",)"
      R"("metadata":{"team":"a","n":1},"tools":[{},{}],"messages":[{"role":"system","content":"Be kind"},)"
      R"({"role":"user","content":"What is 2+2?"},{"role":"assistant","content":null,"tool_calls":[{}]}]})");
  ASSERT_TRUE(read.ok()) << read.error();
  EXPECT_EQ(read->model, "MoM");
  EXPECT_TRUE(read->stream);
  EXPECT_TRUE(read->include_usage);
  EXPECT_EQ(read->max_tokens, 9);
  EXPECT_EQ(read->user, "u");
  ASSERT_EQ(read->metadata.size(), 1U);
  EXPECT_EQ(read->metadata[0].second, "a");
  EXPECT_EQ(read->tool_count, 2U);
  EXPECT_EQ(messages_of(read), "system:Be kind|user:What is 2+2?|assistant:+calls|");
  EXPECT_EQ(read->user_text, "What is 2+2?");
  EXPECT_TRUE(read.points_into_body(read->user_text));
  EXPECT_EQ(read->text_bytes, 19U);
  EXPECT_EQ(read->context_tokens, 4);
  EXPECT_FALSE(read->active_tool_loop);
}

TEST(ReadRequest, JoinsTextPartsAndSeesImages) {
  const Read read = chat(
      R"({"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"a\n\u00e9"},)"
      R"({"type":"image_url","image_url":{"url":"x"}},{"type":"input_text","text":"b"},"c"]}]})");
  ASSERT_TRUE(read.ok()) << read.error();
  EXPECT_EQ(messages_of(read), "user:a\n\xC3\xA9\nb\nc+image|");
}

TEST(ReadRequest, WordsCannotHideInAPartOfUnknownType) {
  const Read read = chat(
      R"({"model":"m","messages":[{"role":"user","content":[{"type":"x","text":"secret"}]}]})");
  EXPECT_EQ(read->user_text, "secret");
}

TEST(ReadRequest, TheLastUserMessageIsJudgedAlsoInAToolLoop) {
  const Read read = chat(
      R"({"model":"m","messages":[{"role":"user","content":"first"},{"role":"user","content":"second"},)"
      R"({"role":"assistant","tool_calls":[{}]},{"role":"tool","content":"42"}]})");
  EXPECT_EQ(read->user_text, "second");
  EXPECT_TRUE(read->active_tool_loop);
}

TEST(ReadRequest, TypeErrorsNameTheField) {
  const auto param = [](std::string body) { return chat(std::move(body)).param(); };
  EXPECT_EQ(param(R"([])"), "");
  EXPECT_EQ(param(R"({"messages":[{"role":"user","content":"x"}]})"), "model");
  EXPECT_EQ(param(R"({"model":1,"messages":[{"role":"user","content":"x"}]})"), "model");
  EXPECT_EQ(param(R"({"model":"m"})"), "messages");
  EXPECT_EQ(param(R"({"model":"m","messages":{}})"), "messages");
  EXPECT_EQ(param(R"({"model":"m","messages":[]})"), "messages");
  EXPECT_EQ(param(R"({"model":"m","messages":["x"]})"), "messages[0]");
  EXPECT_EQ(param(R"({"model":"m","messages":[{"content":"x"}]})"), "messages[0].role");
  EXPECT_EQ(param(R"({"model":"m","messages":[{"role":"user","content":5}]})"),
            "messages[0].content");
  EXPECT_EQ(
      param(R"({"model":"m","messages":[{"role":"user","content":[{"type":"text","text":1}]}]})"),
      "messages[0].content[0].text");
  const std::string tail = R"(,"messages":[{"role":"user","content":"x"}]})";
  EXPECT_EQ(param(R"({"model":"m","stream":"yes")" + tail), "stream");
  EXPECT_EQ(param(R"({"model":"m","stream_options":[])" + tail), "stream_options");
  EXPECT_EQ(param(R"({"model":"m","stream_options":{"include_usage":1})" + tail),
            "stream_options.include_usage");
  EXPECT_EQ(param(R"({"model":"m","max_tokens":-1)" + tail), "max_tokens");
  EXPECT_EQ(param(R"({"model":"m","n":1.5)" + tail), "n");
  EXPECT_EQ(param(R"({"model":"m","tools":{})" + tail), "tools");
  EXPECT_EQ(param(R"({"model":"m","user":{})" + tail), "user");
  EXPECT_EQ(param(R"({"model":"m","chat_template_kwargs":1)" + tail), "chat_template_kwargs");
  EXPECT_EQ(param(R"({"model":"m","max_tokens":null,"tools":null)" + tail), "accepted");
}

TEST(ReadRequest, RepeatedKeysAreRefusedAtEveryLevelAlsoInEscapedForm) {
  const auto param = [](std::string body) { return chat(std::move(body)).param(); };
  EXPECT_EQ(param(R"({"model":"a","mod\u0065l":"b","messages":[{"role":"user","content":"x"}]})"),
            "model");
  EXPECT_EQ(param(R"({"model":"m","messages":[],"messages":[]})"), "messages");
  EXPECT_EQ(param(R"({"model":"m","messages":[{"role":"user","content":"x","content":"y"}]})"),
            "messages[0].content");
  EXPECT_EQ(
      param(
          R"({"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"a","text":"b"}]}]})"),
      "messages[0].content[0].text");
  EXPECT_EQ(param(R"({"model":"m","stream_options":{"include_usage":true,"include_usage":false},)"
                  R"("messages":[{"role":"user","content":"x"}]})"),
            "stream_options.include_usage");
  EXPECT_EQ(param(R"({"model":"m","chat_template_kwargs":{"a":1,"a":2},)"
                  R"("messages":[{"role":"user","content":"x"}]})"),
            "chat_template_kwargs.a");
}

TEST(ReadRequest, ErrorsNeverRepeatWhatTheClientWrote) {
  EXPECT_EQ(chat(R"({"model":"m","stream":"my secret","messages":[]})").error(),
            "'stream' must be true or false");
}

TEST(ReadRequest, AnEmptyOrBrokenBodyIsRefused) {
  EXPECT_EQ(chat("").error(), "invalid JSON at byte 0: expected a value");
  EXPECT_EQ(chat("{\"model\":\"m\"").error(), "invalid JSON at byte 12: expected ',' or '}'");
}

TEST(ReadRequest, CompletionsTakeAStringStringsOrTokens) {
  const auto user_text = [](std::string prompt) {
    const Read read("/v1/completions", R"({"model":"m","prompt":)" + prompt + "}");
    return read.ok() ? std::string(read->user_text) : read.param();
  };
  EXPECT_EQ(user_text(R"("once")"), "once");
  EXPECT_EQ(user_text(R"(["a","b"])"), "a\nb");
  EXPECT_EQ(user_text("[1,2,3]"), "");
  EXPECT_EQ(user_text("7"), "prompt");
}

TEST(ReadRequest, EmbeddingsRerankAndScoreGiveTheirText) {
  EXPECT_EQ(Read("/v1/embeddings", R"({"model":"m","input":["a","b"]})")->user_text, "a\nb");
  EXPECT_EQ(Read("/rerank", R"({"model":"m","query":"q","documents":["d"]})")->user_text, "q");
  EXPECT_EQ(Read("/score", R"({"model":"m","text_1":"a","text_2":["b"]})")->user_text, "a\nb");
  EXPECT_TRUE(Read("/tokenize", R"({"prompt":"a"})").ok());
}

TEST(ReadRequest, ReadsTheResponsesApi) {
  EXPECT_EQ(
      messages_of(Read("/v1/responses", R"({"model":"m","instructions":"I","input":"hello"})")),
      "system:I|user:hello|");
  const Read items(
      "/v1/responses",
      R"({"model":"m","max_output_tokens":5,"input":[{"role":"user","content":[{"type":"input_text",)"
      R"("text":"q"},{"type":"input_image","image_url":"x"}]},{"type":"function_call","name":"f"},)"
      R"({"type":"function_call_output","call_id":"1","output":"42"}]})");
  ASSERT_TRUE(items.ok()) << items.error();
  EXPECT_EQ(messages_of(items), "user:q+image|assistant:+calls|tool:42|");
  EXPECT_TRUE(items->active_tool_loop);
  EXPECT_EQ(items->user_text, "q");
  EXPECT_EQ(items->max_tokens, 5);
}

TEST(ReadRequest, ReadsAnthropicMessages) {
  const Read read(
      "/v1/messages",
      R"({"model":"m","max_tokens":5,"system":[{"type":"text","text":"S"}],"messages":[{"role":"user","content":"q"},)"
      R"({"role":"assistant","content":[{"type":"tool_use","id":"1","name":"f","input":{}}]},)"
      R"({"role":"user","content":[{"type":"tool_result","tool_use_id":"1","content":[{"type":"text","text":"42"}]}]}]})");
  ASSERT_TRUE(read.ok()) << read.error();
  EXPECT_EQ(messages_of(read), "system:S|user:q|assistant:+calls|tool:42|");
  EXPECT_EQ(read->user_text, "q");
  EXPECT_TRUE(read->active_tool_loop);
}

Read audio_form(const std::string& fields) {
  return {"/v1/audio/transcriptions", fields + "--x--\r\n", "multipart/form-data; boundary=x"};
}

std::string form_field(const std::string& name, const std::string& value) {
  return "--x\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + value + "\r\n";
}

TEST(ReadRequest, AFormNamesItsModelInAField) {
  const Read form = audio_form(form_field("file", "{\"model\":\"no\"}") +
                               form_field("model", "whisper") + form_field("stream", "true"));
  ASSERT_TRUE(form.ok()) << form.error();
  EXPECT_TRUE(form->document.empty());
  EXPECT_EQ(form->model, "whisper");
  EXPECT_TRUE(form->stream);
  ASSERT_TRUE(form->form_model);
  EXPECT_EQ(form->form_model->end - form->form_model->begin, 7u);
}

TEST(ReadRequest, AFormThatNamesTwoModelsIsRefused) {
  const Read form = audio_form(form_field("model", "a") + form_field("model", "b"));
  EXPECT_FALSE(form.ok());
  EXPECT_EQ(form.param(), "model");
  EXPECT_FALSE(audio_form(form_field("model", "\xff")).ok());
  EXPECT_FALSE(audio_form("--x\r\n").ok());
}

TEST(ReadRequest, AFormCannotSmuggleAChatCompletion) {
  EXPECT_FALSE(Read("/v1/chat/completions", form_field("model", "m") + "--x--",
                    "multipart/form-data; boundary=x")
                   .ok());
}

TEST(ReadRequest, UnknownPathsAreLeftAlone) {
  EXPECT_TRUE(Read("/v1/whatever", "[1]").ok());
  EXPECT_EQ(
      Read("/v1/whatever", R"({"model":"m"})", "application/vnd.api+json; charset=utf-8")->model,
      "m");
  EXPECT_FALSE(Read("/v1/whatever", "{").ok());
  EXPECT_TRUE(Read("/v1/whatever", "{", "text/plain").ok());
}

TEST(ReadRequest, AQuarterOfAMillionKeysIsNoTrouble) {
  std::string body = R"({"model":"m","messages":[{"role":"user","content":"x"}])";
  for (int i = 0; i < 250'000; ++i) body += ",\"k" + std::to_string(i) + "\":0";
  EXPECT_TRUE(chat(body + "}").ok());
  EXPECT_EQ(chat(body + ",\"k77\":0}").param(), "k77");
}

}  // namespace
}  // namespace signalbox::request
