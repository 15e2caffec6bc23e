#include "response/answer_reader.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <string>

#include "json/document.h"

namespace signalbox::response {
namespace {

exchange::Usage usage_of(std::string_view body) {
  exchange::Usage usage;
  read_answer(body, usage);
  return usage;
}

constexpr std::string_view kCounts =
    R"({"prompt_tokens":7,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":3}})";

TEST(ReadAnswer, FindsTheCountsWhereverTheyStandAtTheTop) {
  for (const std::string& body : {R"({"usage":)" + std::string(kCounts) + "}",
                                  R"({"a":1,"usage" :  )" + std::string(kCounts) +
                                      R"(,"choices":[{"x":"}{"}],"z":"\\\""} )"}) {
    const auto usage = usage_of(body);
    EXPECT_TRUE(usage.known) << body;
    EXPECT_EQ(usage.prompt_tokens, 7);
    EXPECT_EQ(usage.completion_tokens, 2);
    EXPECT_EQ(usage.cached_tokens, 3);
  }
}

TEST(ReadAnswer, CountsOfSomethingElseAreNotTheAnswers) {
  const std::string counts(kCounts);
  for (const std::string& body :
       {R"({"choices":[{"usage":)" + counts + "}]}", R"({"data":{"usage":)" + counts + "}}",
        R"(["usage",)" + counts + "]",
        R"({"text":"\"usage\":)" + std::string("{\\\"prompt_tokens\\\":7}\"}"),
        std::string(R"({"usage":null})"), std::string(R"({"usage":{"prompt_tokens":"7"}})"),
        std::string(R"({"usage":{"prompt_tokens":7)"), std::string(R"({"usage":)"),
        std::string()}) {
    EXPECT_FALSE(usage_of(body).known) << body;
  }
}

// What a full parse finds is what the search from the end finds, for any JSON around it.
RC_GTEST_PROP(ReadAnswer, AgreesWithAFullParse, ()) {
  const auto scalar =
      rc::gen::element<std::string>("1", "null", R"("usage")", R"("\"usage\":{")", R"("}")",
                                    R"({"usage":{"prompt_tokens":5}})", "[]", R"("\\")");
  const auto members =
      *rc::gen::container<std::vector<std::string>>(*rc::gen::inRange(0, 7), scalar);
  const auto place = *rc::gen::inRange<std::size_t>(0, members.size() + 2);
  std::string body = "{";
  for (std::size_t i = 0; i <= members.size(); ++i) {
    if (i == place) body += R"("usage":{"prompt_tokens":9},)";
    if (i < members.size()) body += "\"k" + std::to_string(i) + "\":" + members[i] + ",";
  }
  body.back() = body == "{" ? '{' : '}';
  if (body == "{") body = "{}";
  const auto document = json::Document::parse(body);
  RC_ASSERT(document.has_value());
  const auto wanted = *document->root().find("usage");
  const auto usage = usage_of(body);
  RC_ASSERT(usage.known == wanted.has_value());
  if (wanted) RC_ASSERT(usage.prompt_tokens == 9);
}

}  // namespace
}  // namespace signalbox::response
