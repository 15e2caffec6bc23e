#include "json/document.h"

#include <gtest/gtest.h>

#include <string>

namespace signalbox::json {
namespace {

std::string error_of(std::string_view text, const ParseLimits& limits = {}) {
  const Result<Document> document = Document::parse(text, limits);
  return document ? "accepted" : document.error().message;
}

TEST(Document, ErrorsNameTheByteAndWhatWasExpected) {
  EXPECT_EQ(error_of(""), "invalid JSON at byte 0: expected a value");
  EXPECT_EQ(error_of("{\"a\":1,}"), "invalid JSON at byte 7: expected a member name");
  EXPECT_EQ(error_of("{a:1}"), "invalid JSON at byte 1: expected a member name or '}'");
  EXPECT_EQ(error_of("{\"a\" 1}"), "invalid JSON at byte 5: expected ':'");
  EXPECT_EQ(error_of("[1 2]"), "invalid JSON at byte 3: expected ',' or ']'");
  EXPECT_EQ(error_of("{\"a\":1]"), "invalid JSON at byte 6: expected ',' or '}'");
  EXPECT_EQ(error_of("[1,]"), "invalid JSON at byte 3: expected a value");
  EXPECT_EQ(error_of("{} {}"), "invalid JSON at byte 3: expected the end of the text");
  EXPECT_EQ(error_of("01"), "invalid JSON at byte 1: expected the end of the text");
  EXPECT_EQ(error_of("1."), "invalid JSON at byte 2: expected a digit");
  EXPECT_EQ(error_of("-"), "invalid JSON at byte 1: expected a digit");
  EXPECT_EQ(error_of("NaN"), "invalid JSON at byte 0: expected a value");
  EXPECT_EQ(error_of("\"a"), "invalid JSON at byte 2: expected the closing quote of a string");
  EXPECT_EQ(error_of("\"a\nb\""),
            "invalid JSON at byte 2: expected a control character in a string to be escaped");
  EXPECT_EQ(error_of("\"\\x\""),
            "invalid JSON at byte 2: expected one of \"\\/bfnrtu after a backslash");
  EXPECT_EQ(error_of("\"\\u12g4\""),
            "invalid JSON at byte 5: expected four hexadecimal digits after \\u");
  EXPECT_EQ(error_of("\xEF\xBB\xBF{}"), "invalid JSON at byte 0: expected a value");
  EXPECT_EQ(error_of("[\"\xC3\xA9\xFF\"]"), "invalid JSON at byte 4: expected UTF-8");
}

TEST(Document, SurrogatesWrittenAsBytesAreNotUtf8) {
  EXPECT_EQ(error_of("\"\xED\xA0\x80\""), "invalid JSON at byte 1: expected UTF-8");
}

TEST(Document, ANulByteIsNeverSkipped) {
  EXPECT_NE(error_of(std::string_view("{}\0", 3)), "accepted");
  EXPECT_NE(error_of(std::string_view("\0{}", 3)), "accepted");
  EXPECT_NE(error_of(std::string_view("[\"\0\"]", 5)), "accepted");
}

TEST(Document, DepthAndNodeCountAreBounded) {
  const std::string deep = std::string(128, '[') + std::string(128, ']');
  EXPECT_EQ(error_of(deep), "accepted");
  EXPECT_EQ(error_of("[" + deep + "]"), "invalid JSON at byte 128: nested deeper than allowed");
  EXPECT_EQ(error_of("[1,2,3]", {.nodes_max = 4}), "accepted");
  EXPECT_EQ(error_of("[1,2,3,4]", {.nodes_max = 4}),
            "invalid JSON at byte 7: more values than allowed");
}

TEST(Document, TextsOfFourGibibytesAreRefusedUnread) {
  const char byte = '1';
  EXPECT_EQ(error_of({&byte, std::size_t{1} << 32}), "JSON texts of 4 GiB and more are not read");
}

TEST(Document, OffsetsPointAtTheBytesOfEachValue) {
  const std::string text = " { \"model\" : \"MoM\" , \"n\":[ 1 , {} ] } ";
  const auto document = Document::parse(text);
  ASSERT_TRUE(document);
  const Value root = document->root();
  EXPECT_EQ(root.raw(), "{ \"model\" : \"MoM\" , \"n\":[ 1 , {} ] }");
  EXPECT_EQ(root.size(), 2U);
  EXPECT_EQ((*root.find("model"))->raw(), "\"MoM\"");
  const Value n = **root.find("n");
  ASSERT_EQ(n.elements().size(), 2U);
  EXPECT_EQ(n.elements()[0].raw(), "1");
  EXPECT_EQ(n.elements()[1].raw(), "{}");
  EXPECT_TRUE(n.elements()[1].members().empty());
}

TEST(Document, LengthsOfKeysLeaveNoKeyOut) {
  const std::string longer(70, 'k');
  const std::string text = R"({"n":1,"model":{"inner":2},")" + longer + R"(":3})";
  const auto document = Document::parse(text);
  ASSERT_TRUE(document);
  const std::uint64_t lengths = document->root().key_lengths();
  for (const std::string_view key :
       {std::string_view("n"), std::string_view("model"), std::string_view(longer)})
    EXPECT_NE(lengths & Value::length_bit(key), 0U) << key;
  EXPECT_EQ(lengths & Value::length_bit("max_tokens"), 0U);
  const auto escaped = Document::parse(R"({"mod\u0065l":1})");
  ASSERT_TRUE(escaped);
  EXPECT_NE(escaped->root().key_lengths() & Value::length_bit("model"), 0U);
}

TEST(Document, KeysAreComparedUnescaped) {
  const auto document = Document::parse(R"({"mod\u0065l":"a","other":1})");
  ASSERT_TRUE(document);
  EXPECT_EQ((*document->root().find("model"))->string(), "a");
  EXPECT_FALSE((*document->root().find("mod\\u0065l")).has_value());
}

TEST(Document, AKeyThatOccursTwiceIsRefusedWhenAskedForAlsoInEscapedForm) {
  const auto document =
      Document::parse(R"({"model":"a","x":{"model":1},"\u006dodel":"b","y":1,"y":2})");
  ASSERT_TRUE(document);
  const auto found = document->root().find("model");
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().param, "model");
  EXPECT_EQ(found.error().message, "the key \"model\" occurs twice");
  EXPECT_TRUE(document->root().find("x"));
}

TEST(Document, RepeatedKeysAreFoundAmongMany) {
  const auto unique = Document::parse(R"({"c":1,"a":{"c":1,"c":2},"b":3})");
  EXPECT_TRUE(unique->root().require_unique_keys());
  const auto repeated = Document::parse(R"({"c":1,"a":2,"\u0063":3})");
  const auto verdict = repeated->root().require_unique_keys();
  ASSERT_FALSE(verdict);
  EXPECT_EQ(verdict.error().param, "c");
  EXPECT_TRUE(Document::parse("[1,1]")->root().require_unique_keys());
}

TEST(Document, FindOnSomethingElseThanAnObjectFindsNothing) {
  const auto document = Document::parse("[\"a\"]");
  EXPECT_FALSE((*document->root().find("a")).has_value());
}

TEST(Document, StringsAreUnescaped) {
  const auto document =
      Document::parse(R"(["\"\\\/\b\f\n\r\t","\u0041\u00e9\u20ac","\ud83d\ude00","plain"])");
  ASSERT_TRUE(document);
  const auto strings = document->root().elements();
  EXPECT_EQ(strings[0].string(), "\"\\/\b\f\n\r\t");
  EXPECT_EQ(strings[1].string(), "A\xC3\xA9\xE2\x82\xAC");
  EXPECT_EQ(strings[2].string(), "\xF0\x9F\x98\x80");
  std::string storage;
  EXPECT_EQ(strings[3].string_view(storage).data(),
            document->text().data() + strings[3].begin() + 1);
}

TEST(Document, LoneSurrogatesBecomeTheReplacementCharacter) {
  const auto document =
      Document::parse(R"(["\ud800","\udc00x","\ud800\u0041","\ud800\ud83d\ude00"])");
  ASSERT_TRUE(document);
  const auto strings = document->root().elements();
  EXPECT_EQ(strings[0].string(), "\xEF\xBF\xBD");
  EXPECT_EQ(strings[1].string(), "\xEF\xBF\xBDx");
  EXPECT_EQ(strings[2].string(),
            "\xEF\xBF\xBD"
            "A");
  EXPECT_EQ(strings[3].string(), "\xEF\xBF\xBD\xF0\x9F\x98\x80");
}

TEST(Document, WholeNumbersAreIntegersHoweverTheyAreWritten) {
  const auto document = Document::parse("[5,5.0,1e3,5.5,99999999999999999999,-0,1e400,\"5\"]");
  ASSERT_TRUE(document);
  const auto numbers = document->root().elements();
  EXPECT_EQ(numbers[0].integer(), 5);
  EXPECT_EQ(numbers[1].integer(), 5);
  EXPECT_EQ(numbers[2].integer(), 1000);
  EXPECT_EQ(numbers[3].integer(), std::nullopt);
  EXPECT_EQ(numbers[3].number(), 5.5);
  EXPECT_EQ(numbers[4].integer(), std::nullopt);
  EXPECT_EQ(numbers[5].integer(), 0);
  EXPECT_EQ(numbers[6].number(), std::nullopt);
  EXPECT_EQ(numbers[7].integer(), std::nullopt);
}

}  // namespace
}  // namespace signalbox::json
