#include "api/answer.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <string>
#include <vector>

#include "json/document.h"

namespace signalbox::api {
namespace {

const Answer kAnswer{.id = "7",
                     .model = "MoM",
                     .text = "Hi  there,\n\"you\"",
                     .created = 9,
                     .prompt_tokens = 3,
                     .completion_tokens = 4,
                     .include_usage = true};

// The parsed data of each event; [DONE] is left out.
class Events {
 public:
  explicit Events(const std::string& stream) {
    std::string_view rest = stream;
    while (!rest.empty()) {
      const std::size_t end = rest.find("\n\n");
      EXPECT_NE(end, std::string_view::npos) << "an event without its blank line";
      if (end == std::string_view::npos) return;
      take(rest.substr(0, end));
      rest.remove_prefix(end + 2);
    }
  }
  const std::vector<std::string>& names() const { return names_; }
  const std::vector<std::string>& data() const { return data_; }
  bool done() const { return done_; }

  // Strings at `path` (member names; a number is an array index) of all events that have one, joined.
  std::string joined(const std::vector<std::string>& path) const {
    std::string all;
    for (const std::string& data : data_) {
      const auto document = json::Document::parse(data);
      EXPECT_TRUE(document) << data;
      if (const auto value = descend(document->root(), path); value && value->is_string())
        all += value->string();
    }
    return all;
  }

 private:
  static std::optional<json::Value> descend(json::Value value,
                                            const std::vector<std::string>& path) {
    for (const std::string& step : path) {
      if (value.is_array()) {
        if (value.size() == 0) return std::nullopt;
        value = value.elements().front();
      }
      const auto found = value.find(step);
      if (!found || !*found) return std::nullopt;
      value = **found;
    }
    return value;
  }

  void take(std::string_view event) {
    if (event.starts_with("event: ")) {
      const std::size_t line = event.find('\n');
      names_.emplace_back(event.substr(7, line - 7));
      event.remove_prefix(line + 1);
    }
    ASSERT_TRUE(event.starts_with("data: "));
    event.remove_prefix(6);
    if (event == "[DONE]") {
      done_ = true;
    } else {
      EXPECT_FALSE(done_) << "an event after the end mark";
      data_.emplace_back(event);
    }
  }

  std::vector<std::string> names_;
  std::vector<std::string> data_;
  bool done_ = false;
};

TEST(ChatCompletion, HasTheFieldsClientsRead) {
  EXPECT_EQ(
      chat_completion(kAnswer),
      R"({"id":"chatcmpl-7","object":"chat.completion","created":9,"model":"MoM","choices":[{"index":0,)"
      R"("message":{"role":"assistant","content":"Hi  there,\n\"you\""},"logprobs":null,"finish_reason":"stop"}],)"
      R"("usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}})");
}

TEST(ChatCompletion, StreamsRoleThenTextThenFinishThenUsageThenDone) {
  const Events events(chat_completion_stream(kAnswer));
  ASSERT_EQ(events.data().size(), 6U);
  EXPECT_EQ(events.joined({"choices", "delta", "role"}), "assistant");
  EXPECT_EQ(events.joined({"choices", "delta", "content"}), kAnswer.text);
  EXPECT_EQ(events.joined({"choices", "finish_reason"}), "stop");
  EXPECT_NE(events.data()[4].find(R"("delta":{},"logprobs":null,"finish_reason":"stop")"),
            std::string::npos);
  EXPECT_NE(events.data()[5].find(R"("choices":[],"usage":{"prompt_tokens":3)"), std::string::npos);
  EXPECT_TRUE(events.done());
}

TEST(ChatCompletion, StreamsNoUsageUnlessAskedFor) {
  Answer answer = kAnswer;
  answer.include_usage = false;
  EXPECT_EQ(chat_completion_stream(answer).find("usage"), std::string::npos);
}

TEST(TextCompletion, AnswersWholeAndStreamed) {
  EXPECT_NE(text_completion(kAnswer).find(R"("object":"text_completion")"), std::string::npos);
  const Events events(text_completion_stream(kAnswer));
  EXPECT_EQ(events.joined({"choices", "text"}), kAnswer.text);
  EXPECT_EQ(events.joined({"choices", "finish_reason"}), "stop");
  EXPECT_TRUE(events.done());
}

TEST(ResponsesApi, StreamsTheEventsInTheOrderOfTheReference) {
  const Events events(response_stream(kAnswer));
  const std::vector<std::string> expected = {
      "response.created",           "response.in_progress",
      "response.output_item.added", "response.content_part.added",
      "response.output_text.delta", "response.output_text.delta",
      "response.output_text.delta", "response.output_text.done",
      "response.content_part.done", "response.output_item.done",
      "response.completed"};
  EXPECT_EQ(events.names(), expected);
  EXPECT_EQ(events.joined({"delta"}), kAnswer.text);
  for (std::size_t i = 0; i < events.data().size(); ++i) {
    EXPECT_NE(events.data()[i].find("\"sequence_number\":" + std::to_string(i)), std::string::npos);
  }
  EXPECT_NE(events.data().back().find(response_object(kAnswer)), std::string::npos);
}

TEST(MessagesApi, StreamsTheEventsInTheOrderOfTheReference) {
  const Events events(message_stream(kAnswer));
  const std::vector<std::string> expected = {
      "message_start",       "content_block_start", "content_block_delta", "content_block_delta",
      "content_block_delta", "content_block_stop",  "message_delta",       "message_stop"};
  EXPECT_EQ(events.names(), expected);
  EXPECT_EQ(events.joined({"delta", "text"}), kAnswer.text);
  EXPECT_EQ(events.joined({"delta", "stop_reason"}), "end_turn");
  EXPECT_EQ(
      message_object(kAnswer),
      R"({"id":"msg_7","type":"message","role":"assistant","model":"MoM","content":[{"type":"text",)"
      R"("text":"Hi  there,\n\"you\""}],"stop_reason":"end_turn","stop_sequence":null,)"
      R"("usage":{"input_tokens":3,"output_tokens":4}})");
}

TEST(Streams, AnEmptyTextIsStillACompleteStream) {
  Answer answer = kAnswer;
  answer.text.clear();
  EXPECT_TRUE(Events(chat_completion_stream(answer)).done());
  EXPECT_EQ(Events(message_stream(answer)).names().back(), "message_stop");
}

TEST(DeltaPieces, JoinedAreTheTextByteForByte) {
  EXPECT_TRUE(rc::check([](const std::vector<std::string>& words) {
    std::string text;
    for (const std::string& word : words) text += word + (word.size() % 2 == 0 ? " \n" : "\t");
    std::string joined;
    for (const std::string_view piece : delta_pieces(text)) {
      RC_ASSERT(!piece.empty());
      joined += piece;
    }
    RC_ASSERT(joined == text);
  }));
}

}  // namespace
}  // namespace signalbox::api
