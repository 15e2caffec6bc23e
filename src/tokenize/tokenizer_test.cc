#include "tokenize/tokenizer.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/file.h"
#include "base/limits.h"
#include "json/document.h"

namespace signalbox::tokenize {
namespace {

using Ids = std::vector<std::int32_t>;

std::string directory_of(const std::string& name) {
  return SIGNALBOX_SOURCE_DIR "/test/golden/tokenizer/" + name;
}

std::unique_ptr<const Tokenizer> load(const std::string& name) {
  auto loaded = load_tokenizer(directory_of(name));
  EXPECT_TRUE(loaded) << loaded.error().message;
  return std::move(*loaded);
}

Ids ids_of(const Tokenizer& tokenizer, std::string_view text) {
  Ids ids;
  tokenizer.tokenize(text, ids);
  return ids;
}

std::unique_ptr<const Tokenizer> parse(const std::string& json) {
  auto parsed = parse_tokenizer(json);
  EXPECT_TRUE(parsed) << parsed.error().message;
  return std::move(*parsed);
}

Error error_of(const std::string& json) {
  const auto parsed = parse_tokenizer(json);
  EXPECT_FALSE(parsed);
  return parsed ? Error{} : parsed.error();
}

// A BPE over "a", "b", " " with one merge, and what a test puts in front.
std::string small(const std::string& members) {
  return "{" + members +
         R"("model":{"type":"BPE","vocab":{"a":0,"b":1," ":2,"ab":3,"<s>":4},"merges":["a b"]}})";
}

class Golden : public ::testing::TestWithParam<const char*> {};

// Ids of the reference tokenizer for natural and hostile lines; train/tokenizer.py made them and also
// compares on a million texts with published vocabularies.
TEST_P(Golden, GivesTheIdsOfTheReferenceTokenizer) {
  const auto tokenizer = load(GetParam());
  std::ifstream fixture(directory_of(GetParam()) + "/reference.jsonl");
  int lines = 0;
  for (std::string line; std::getline(fixture, line); ++lines) {
    const auto document = json::Document::parse(line);
    ASSERT_TRUE(document) << document.error().message;
    const auto text = document->root().find("text").value()->string();
    Ids wanted;
    for (const auto id : document->root().find("ids").value()->elements())
      wanted.push_back(static_cast<std::int32_t>(*id.integer()));
    ASSERT_EQ(ids_of(*tokenizer, text), wanted) << "line " << lines + 1 << ": " << text;
  }
  EXPECT_GT(lines, 100);
}

TEST_P(Golden, GivesTheSameIdsWithAndWithoutSpans) {
  const auto tokenizer = load(GetParam());
  std::ifstream fixture(directory_of(GetParam()) + "/reference.jsonl");
  for (std::string line; std::getline(fixture, line);) {
    const auto document = json::Document::parse(line);
    const auto text = document->root().find("text").value()->string();
    Ids ids;
    std::vector<WordSpan> spans;
    tokenizer->tokenize(text, ids, &spans);
    ASSERT_EQ(ids, ids_of(*tokenizer, text));
    ASSERT_EQ(ids.size(), spans.size());
    for (const WordSpan& span : spans) {
      ASSERT_LE(span.begin, span.end);
      ASSERT_LE(span.end, text.size());
    }
  }
}

// Fixtures that hold spans.
class GoldenSpans : public ::testing::TestWithParam<const char*> {};

TEST_P(GoldenSpans, SpansAreThoseOfTheReferenceTokenizer) {
  const auto tokenizer = load(GetParam());
  std::ifstream fixture(directory_of(GetParam()) + "/reference.jsonl");
  int compared = 0;
  for (std::string line; std::getline(fixture, line);) {
    const auto document = json::Document::parse(line);
    const auto wanted = document->root().find("spans").value();
    if (!wanted) continue;
    const auto text = document->root().find("text").value()->string();
    Ids ids;
    std::vector<WordSpan> spans;
    tokenizer->tokenize(text, ids, &spans);
    ASSERT_EQ(spans.size(), wanted->size());
    std::size_t i = 0;
    for (const auto pair : wanted->elements()) {
      const auto ends = pair.elements();
      const WordSpan span{static_cast<std::size_t>(*ends[0].integer()),
                          static_cast<std::size_t>(*ends[1].integer())};
      EXPECT_EQ(spans[i], span) << text << " token " << i << ": " << spans[i].begin << "-"
                                << spans[i].end << " not " << span.begin << "-" << span.end;
      ++i;
    }
    ++compared;
  }
  EXPECT_GT(compared, 0);
}

TEST_P(Golden, AFileCutAnywhereIsCorrupt) {
  const auto text =
      read_file(directory_of(GetParam()) + "/tokenizer.json", limits::kTokenizerFileBytesMax);
  ASSERT_TRUE(text);
  for (std::size_t size = 0; size + 2 < text->size(); size += 1 + text->size() / 40) {
    const auto parsed = parse_tokenizer(std::string_view(*text).substr(0, size));
    ASSERT_FALSE(parsed) << size;
    EXPECT_EQ(parsed.error().code, Code::kCorrupt);
  }
}

INSTANTIATE_TEST_SUITE_P(Tokenizer, Golden,
                         ::testing::Values("qwen3", "o200k", "modern_bert", "gemma", "unigram"),
                         [](const auto& info) { return std::string(info.param); });
INSTANTIATE_TEST_SUITE_P(Tokenizer, GoldenSpans, ::testing::Values("qwen3", "o200k"),
                         [](const auto& info) { return std::string(info.param); });

TEST(Tokenizer, AFrameStandsAroundASequenceAndNotInIt) {
  const auto tokenizer = load("modern_bert");
  ASSERT_EQ(tokenizer->frame().before.size(), 1u);
  ASSERT_EQ(tokenizer->frame().after.size(), 1u);
  EXPECT_EQ(ids_of(*tokenizer, "[CLS]"), tokenizer->frame().before);
  EXPECT_TRUE(ids_of(*tokenizer, "").empty());
}

TEST(Tokenizer, AVocabTxtIsWordPieceWithItsFrame) {
  const auto folder = std::filesystem::path(::testing::TempDir()) / "tokenizer_vocab";
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "vocab.txt") << "[PAD]\n[UNK]\n[CLS]\n[SEP]\nab\n##c\n";
  const auto tokenizer = load_tokenizer(folder.string());
  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  EXPECT_EQ((*tokenizer)->frame().before, (Ids{2}));
  EXPECT_EQ((*tokenizer)->frame().after, (Ids{3}));
  EXPECT_EQ(ids_of(**tokenizer, "abc ab"), (Ids{4, 5, 4}));
}

TEST(Tokenizer, AFolderWithoutATokenizerIsAnIoError) {
  const auto tokenizer = load_tokenizer("/nonexistent");
  ASSERT_FALSE(tokenizer);
  EXPECT_EQ(tokenizer.error().code, Code::kIo);
}

TEST(Tokenizer, WhatIsUnknownVanishesWithoutAnUnknownToken) {
  EXPECT_EQ(ids_of(*parse(small("")), "azb"), (Ids{3}))
      << "its neighbours meet, as in the reference";
}

TEST(Tokenizer, SpansPointIntoTheTextAsItCame) {
  const auto tokenizer =
      parse(small(R"("normalizer":{"type":"Replace","pattern":{"String":"zz"},"content":"ab"},)"
                  R"("added_tokens":[{"id":4,"content":"<s>","normalized":false}],)"));
  Ids ids;
  std::vector<WordSpan> spans;
  tokenizer->tokenize("a zz<s>b", ids, &spans);
  EXPECT_EQ(ids, (Ids{0, 2, 3, 4, 1}));
  EXPECT_EQ(spans, (std::vector<WordSpan>{{0, 1}, {1, 2}, {2, 4}, {4, 7}, {7, 8}}));
}

TEST(Tokenizer, ASingleWordTokenIsNotFoundInsideAWord) {
  const auto tokenizer = parse(
      small(R"("added_tokens":[{"id":4,"content":"ab","single_word":true,"normalized":false}],)"));
  EXPECT_EQ(ids_of(*tokenizer, "ab aab"), (Ids{4, 2, 0, 3}));
}

TEST(Tokenizer, StrippingTokensTakeTheWhiteSpaceBesideThem) {
  const auto tokenizer = parse(small(
      R"("added_tokens":[{"id":4,"content":"<s>","lstrip":true,"rstrip":true,"normalized":false}],)"));
  EXPECT_EQ(ids_of(*tokenizer, "a  <s> b"), (Ids{0, 4, 1}));
}

TEST(Tokenizer, InvalidUtf8CountsAsTheReplacementCharacter) {
  const auto tokenizer = load("qwen3");
  EXPECT_EQ(ids_of(*tokenizer, "a\xFF\xC3z"), ids_of(*tokenizer, "a\xEF\xBF\xBD\xEF\xBF\xBDz"));
}

TEST(Tokenizer, WhatIsNotSupportedIsNamed) {
  const auto normalizer = error_of(small(R"("normalizer":{"type":"Precompiled"},)"));
  EXPECT_EQ(normalizer.code, Code::kUnsupported);
  EXPECT_NE(normalizer.message.find("Precompiled"), std::string::npos) << normalizer.message;
  const auto splitter = error_of(small(R"("pre_tokenizer":{"type":"UnicodeScripts"},)"));
  EXPECT_EQ(splitter.code, Code::kUnsupported);
  EXPECT_NE(splitter.message.find("UnicodeScripts"), std::string::npos) << splitter.message;
  EXPECT_EQ(error_of(R"({"model":{"type":"WordLevel","vocab":{}}})").code, Code::kUnsupported);
  EXPECT_EQ(
      error_of(R"({"model":{"type":"BPE","end_of_word_suffix":"</w>","vocab":{},"merges":[]}})")
          .code,
      Code::kUnsupported);
}

TEST(Tokenizer, HostileFilesAreCorrupt) {
  EXPECT_EQ(error_of("").code, Code::kCorrupt);
  EXPECT_EQ(error_of("[]").code, Code::kCorrupt);
  EXPECT_EQ(error_of("{}").code, Code::kCorrupt);
  EXPECT_EQ(error_of(R"({"model":{"type":"BPE","vocab":{"a":-1},"merges":[]}})").code,
            Code::kCorrupt);
  EXPECT_EQ(error_of(R"({"model":{"type":"BPE","vocab":{"a":2000000000},"merges":[]}})").code,
            Code::kCorrupt);
  EXPECT_EQ(error_of(R"({"model":{"type":"BPE","vocab":{"a":0},"merges":["a b"]}})").code,
            Code::kCorrupt);
  EXPECT_EQ(error_of(R"({"model":{"type":"BPE","vocab":{"a":0},"merges":[["a"]]}})").code,
            Code::kCorrupt);
  EXPECT_EQ(error_of(R"({"model":{"type":"Unigram","unk_id":5,"vocab":[["a",-1.0]]}})").code,
            Code::kCorrupt);
  EXPECT_EQ(error_of(small(R"("added_tokens":[{"id":4,"content":7}],)")).code, Code::kCorrupt);
  EXPECT_EQ(error_of(small(R"("post_processor":{"type":"BertProcessing","cls":["a"]},)")).code,
            Code::kCorrupt);
}

TEST(Tokenizer, ALongRunOfMarksOrSpacesEndsInReasonableTime) {
  // The time limit of the test is the assertion: a quadratic step would take minutes.
  const auto tokenizer = load("qwen3");
  std::string marks = "e";
  for (int i = 0; i < 40000; ++i) marks += i % 2 == 0 ? "\xCC\x81" : "\xCC\xA7";
  EXPECT_FALSE(ids_of(*tokenizer, marks).empty());
  EXPECT_FALSE(ids_of(*tokenizer, std::string(100000, ' ')).empty());
  EXPECT_FALSE(ids_of(*tokenizer, std::string(100000, 'A')).empty());
  EXPECT_FALSE(ids_of(*load("o200k"), std::string(100000, 'A')).empty());
}

RC_GTEST_PROP(Tokenizer, GivesIdsOfTheVocabularyForAnyBytes, (const std::string& text)) {
  const auto tokenizer = parse(small(R"("normalizer":{"type":"NFC"},)"));
  for (const std::int32_t id : ids_of(*tokenizer, text))
    RC_ASSERT(id >= 0 && id < tokenizer->size());
}

}  // namespace
}  // namespace signalbox::tokenize
