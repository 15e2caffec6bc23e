#include "kv/msgpack.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <string>

namespace signalbox::kv {
namespace {

using std::string_literals::operator""s;

TEST(Msgpack, ReadsWhatItWrites) {
  rc::check([](std::uint64_t number, const std::string& text, double real) {
    std::string bytes;
    MsgpackWriter out(bytes);
    out.array(5).integer(number).text(text).binary(text).number(real).nil();
    MsgpackReader in(bytes);
    RC_ASSERT(in.array() == 5U);
    RC_ASSERT(in.integer() == number);
    RC_ASSERT(in.bytes() == text);
    RC_ASSERT(in.bytes() == text);
    RC_ASSERT(in.number() == real);
    RC_ASSERT(in.nil());
    RC_ASSERT(in.at_end());
  });
}

TEST(Msgpack, ReadsEveryWidthOfIntegers) {
  const std::string bytes = "\x7f\xff\xcc\x80\xcd\x01\x00\xce\x00\x01\x00\x00\xd0\x80\xd1\xff\x00"s;
  MsgpackReader in(bytes);
  EXPECT_EQ(in.integer(), 127U);
  EXPECT_EQ(in.integer(), ~std::uint64_t{0});
  EXPECT_EQ(in.integer(), 128U);
  EXPECT_EQ(in.integer(), 256U);
  EXPECT_EQ(in.integer(), 65536U);
  EXPECT_EQ(static_cast<std::int64_t>(*in.integer()), -128);
  EXPECT_EQ(static_cast<std::int64_t>(*in.integer()), -256);
  EXPECT_TRUE(in.at_end());
}

TEST(Msgpack, SkipsValuesOfEveryKind) {
  const std::string bytes =
      "\x93\x01\xa1x\xc0\x81\xa1k\xc3\xd6\x05"
      "abcd\xc7\x02\x01yz\xca\x00\x00\x00\x00"s;
  MsgpackReader in(bytes);
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(in.skip());
  EXPECT_TRUE(in.at_end());
}

TEST(Msgpack, ACountThatCannotBeTrueIsRefused) {
  MsgpackReader in("\xdd\xff\xff\xff\xff\x01");
  EXPECT_FALSE(in.array());
  EXPECT_TRUE(in.failed());
}

TEST(Msgpack, EveryCutIsNoticed) {
  std::string bytes;
  MsgpackWriter(bytes).array(2).text("some text that is long enough for a length").number(2);
  for (std::size_t cut = 0; cut < bytes.size(); ++cut) {
    MsgpackReader in(std::string_view(bytes).substr(0, cut));
    EXPECT_FALSE(in.skip()) << cut;
  }
}

TEST(Msgpack, NestingIsBounded) {
  const std::string bytes(1000, '\x91');
  MsgpackReader in(bytes);
  EXPECT_FALSE(in.skip());
}

}  // namespace
}  // namespace signalbox::kv
