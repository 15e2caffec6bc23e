#include "prompt/prompt_tokenizer.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <filesystem>
#include <fstream>

#include "json/splice.h"

namespace signalbox::prompt {
namespace {

constexpr std::chrono::seconds kNow{1'780'000'000};
const std::string kFolder = SIGNALBOX_SOURCE_DIR "/test/golden/prompt";

const PromptTokenizer& tokenizer() {
  static const auto kLoaded = PromptTokenizer::load(kFolder);
  EXPECT_TRUE(kLoaded) << kLoaded.error().message;
  return **kLoaded;
}

Result<Rendered> rendered(const std::string& body, BodyKind kind = BodyKind::kGeneration) {
  const auto document = json::Document::parse(body);
  EXPECT_TRUE(document) << body;
  return tokenizer().render(document->root(), kind, kNow);
}

Code code_of(const std::string& body) {
  const auto made = rendered(body);
  EXPECT_FALSE(made) << body;
  return made ? Code::kInternal : made.error().code;
}

std::string chat(const std::vector<std::string>& texts) {
  std::string messages;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    messages += i == 0 ? "" : ",";
    messages += R"({"role":")" + std::string(i % 2 == 0 ? "user" : "assistant") +
                R"(","content":)" + json::quote(texts[i]) + "}";
  }
  return R"({"messages":[)" + messages + "]}";
}

// A folder with the golden tokenizer and another configuration; gone with the object.
class Folder {
 public:
  Folder(const std::string& name, const std::string& config) {
    path_ = testing::TempDir() + "prompt_" + name;
    std::filesystem::remove_all(path_);
    std::filesystem::create_directories(path_);
    std::filesystem::copy_file(kFolder + "/tokenizer.json", path_ + "/tokenizer.json");
    write("tokenizer_config.json", config);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(path_ + "/" + name) << text;
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

TEST(PromptTokenizer, GivesTheIdsOfTheReference) {
  std::ifstream fixture(kFolder + "/reference.jsonl");
  int count = 0;
  for (std::string line; std::getline(fixture, line); ++count) {
    const auto document = json::Document::parse(line);
    ASSERT_TRUE(document);
    const json::Value body = *document->root().find("body").value();
    auto made = tokenizer().render(body, BodyKind::kGeneration, kNow);
    ASSERT_TRUE(made) << body.raw() << ": " << made.error().message;
    EXPECT_EQ(made->text, document->root().find("text").value()->string()) << body.raw();
    std::vector<std::uint32_t> wanted;
    for (const auto id : document->root().find("ids").value()->elements())
      wanted.push_back(static_cast<std::uint32_t>(*id.integer()));
    EXPECT_EQ(tokenizer().tokenize(*std::move(made), nullptr).ids, wanted) << body.raw();
  }
  EXPECT_GE(count, 12);
}

TEST(PromptTokenizer, SaysWhatARequestIsMadeOf) {
  EXPECT_EQ(rendered(R"({"prompt":"x"})")->features, Features{kText});
  EXPECT_EQ(rendered(chat({"x"}))->features, Features{kChat});
  EXPECT_EQ(rendered(R"({"messages":[{"role":"user","content":[{"type":"text","text":"x"}]}]})")
                ->features,
            Features{kChat | kParts});
  EXPECT_EQ(
      rendered(
          R"({"tools":[{"type":"function","function":{"name":"f"}}],"messages":[{"role":"user","content":"x"},)"
          R"({"role":"tool","tool_call_id":"1","content":"x"}]})")
          ->features,
      Features{kChat | kTools | kToolCalls});
  EXPECT_EQ(tokenizer().features(), Features{kText | kChat | kTools | kToolCalls | kParts});
}

TEST(PromptTokenizer, LeavesToTheEngineWhatItDoesNotFollow) {
  for (
      const char* body :
      {R"({"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"x"}}]}]})",
       R"({"messages":[{"role":"developer","content":"x"}]})",
       R"({"messages":[{"role":"user","content":"x"}],"chat_template":"{{ 1 }}"})",
       R"({"messages":[{"role":"user","content":"x"}],"continue_final_message":true})",
       R"({"messages":[{"role":"user","content":"x"}],"chat_template_kwargs":{"tokenize":true}})",
       R"({"messages":[{"role":"assistant","reasoning":"r","content":"x"}]})",
       R"({"messages":[{"role":"system","content":"x-anthropic-billing-header: y"}]})",
       R"({"tools":[{"type":"function","function":{"name":"f"},"more":1}],"messages":[{"role":"user","content":"x"}]})",
       R"({"tools":[],"messages":[{"role":"user","content":"x"}]})", R"({"prompt":["a","b"]})"}) {
    EXPECT_EQ(code_of(body), Code::kUnsupported) << body;
  }
  EXPECT_EQ(code_of(R"({"messages":"x"})"), Code::kInvalidArgument);
  EXPECT_EQ(code_of(R"({"messages":[{"content":"x"}]})"), Code::kInvalidArgument);
}

TEST(PromptTokenizer, ReadsFieldsOfTheGenerationThatTokenizeDoesNot) {
  const std::string body =
      R"({"messages":[{"role":"user","content":"x"}],"reasoning_effort":"none"})";
  EXPECT_TRUE(rendered(body)->text.ends_with("</think>\n\n"));
  EXPECT_TRUE(rendered(body, BodyKind::kTokenize)->text.ends_with("assistant\n"));
}

TEST(PromptTokenizer, GoesOnFromTheTurnBefore) {
  const auto first = tokenizer().tokenize(*rendered(chat({std::string(5000, 'x')})), nullptr);
  auto next = *rendered(chat({std::string(5000, 'x'), "yes", "and then?"}));
  EXPECT_LT(tokenizer().new_bytes(next, &first), 200U);
  const auto whole = tokenizer().tokenize(next, nullptr);
  const auto tail = tokenizer().tokenize(next, &first);
  EXPECT_EQ(tail.ids, whole.ids);
  EXPECT_EQ(tail.marks, whole.marks);
}

// Whatever the earlier prompt was, going on from it changes nothing.
RC_GTEST_PROP(PromptTokenizer, GoingOnIsTheSameAsStartingAnew, ()) {
  static const std::vector<std::string> kPieces = {
      "a", " ",  "\n", "points", "<|im_end|>",  "<|im_start|>", "<|im_", "end|>",         "<think>",
      "é", "😀", "  ", "12",     "<tool_call>", "</think>",     "user",  "<|endoftext|>", "."};
  const auto text = [] {
    std::string out;
    for (const std::size_t at : *rc::gen::container<std::vector<std::size_t>>(
             rc::gen::inRange<std::size_t>(0, kPieces.size())))
      out += kPieces[at];
    return out;
  };
  const std::string same = text();
  const bool framed = *rc::gen::arbitrary<bool>();
  const Rendered old{.text = same + text(), .framed = framed};
  const Rendered now{.text = same + text(), .framed = framed};
  const auto before = tokenizer().tokenize(old, nullptr);
  const auto whole = tokenizer().tokenize(now, nullptr);
  const auto tail = tokenizer().tokenize(now, &before);
  RC_ASSERT(tail.ids == whole.ids);
  RC_ASSERT(tail.marks == whole.marks);
}

TEST(PromptTokenizer, TakesTheTemplateFromWhereTheModelHasIt) {
  const Folder listed(
      "listed",
      R"({"bos_token":"<s>","chat_template":[{"name":"default","template":"{{ bos_token }}plain"},)"
      R"({"name":"tool_use","template":"tools"},{"name":"rag","template":"rag"}]})");
  const auto by_list = PromptTokenizer::load(listed.path());
  ASSERT_TRUE(by_list) << by_list.error().message;
  const auto plain = json::Document::parse(R"({"messages":[]})");
  const auto with_tools = json::Document::parse(
      R"({"messages":[],"tools":[{"type":"function","function":{"name":"f"}}]})");
  EXPECT_EQ((*by_list)->render(plain->root(), BodyKind::kTokenize, kNow)->text, "<s>plain");
  EXPECT_EQ((*by_list)->render(with_tools->root(), BodyKind::kTokenize, kNow)->text, "tools");
  listed.write("chat_template.jinja", "the file\n");
  EXPECT_EQ((*PromptTokenizer::load(listed.path()))
                ->render(plain->root(), BodyKind::kTokenize, kNow)
                ->text,
            "the file");
  const Folder none("none", "{}");
  const auto without = PromptTokenizer::load(none.path());
  ASSERT_TRUE(without);
  EXPECT_EQ((*without)->features(), Features{kText});
  EXPECT_FALSE((*without)->render(plain->root(), BodyKind::kTokenize, kNow));
}

TEST(PromptTokenizer, SaysWhyAFolderCannotBeUsed) {
  EXPECT_FALSE(PromptTokenizer::load("/nonexistent"));
  const Folder strange("strange", R"({"chat_template":"{{ x | shuffle }}"})");
  const auto unknown = PromptTokenizer::load(strange.path());
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, Code::kUnsupported);
  EXPECT_NE(unknown.error().message.find("tokenizer_config.json: line 1: the filter shuffle"),
            std::string::npos)
      << unknown.error().message;
  const Folder broken("broken", "[");
  EXPECT_EQ(PromptTokenizer::load(broken.path()).error().code, Code::kCorrupt);
}

}  // namespace
}  // namespace signalbox::prompt
