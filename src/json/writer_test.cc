#include "json/writer.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <limits>

#include "json/document.h"

namespace signalbox::json {
namespace {

TEST(Writer, PutsCommasWhereJsonWantsThem) {
  std::string out;
  Writer writer(out);
  writer.begin_object().key("a").begin_array().integer(-1).number(0.1).boolean(true).null();
  writer.begin_object().end_object().end_array().key("b\n").string("x\"y").end_object();
  EXPECT_EQ(out, R"({"a":[-1,0.1,true,null,{}],"b\n":"x\"y"})");
}

TEST(Writer, NumbersThatJsonCannotSayAreNull) {
  std::string out;
  Writer(out).number(std::numeric_limits<double>::infinity());
  EXPECT_EQ(out, "null");
}

TEST(Quote, BytesThatAreNotUtf8BecomeReplacementCharacters) {
  EXPECT_EQ(quote("a\xFF"
                  "b\xC3"),
            "\"a\xEF\xBF\xBD"
            "b\xEF\xBF\xBD\"");
}

TEST(Quote, AnyBytesGiveAStringThatParsesAndUtf8ComesBackUnchanged) {
  EXPECT_TRUE(rc::check([](const std::string& bytes) {
    const std::string quoted = quote(bytes);
    const auto document = Document::parse(quoted);
    RC_ASSERT(document.has_value());
    const bool ascii = std::ranges::all_of(bytes, [](char c) { return c >= 0; });
    if (ascii) RC_ASSERT(document->root().string() == bytes);
  }));
}

}  // namespace
}  // namespace signalbox::json
