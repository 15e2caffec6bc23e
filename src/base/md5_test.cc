#include "base/md5.h"

#include <gtest/gtest.h>

#include <string>

namespace signalbox {
namespace {

// The suite of RFC 1321, A.5.
TEST(Md5, DigestsAreThoseOfTheStandard) {
  EXPECT_EQ(md5(""), (Md5{0xd41d8cd98f00b204, 0xe9800998ecf8427e}));
  EXPECT_EQ(md5("a"), (Md5{0x0cc175b9c0f1b6a8, 0x31c399e269772661}));
  EXPECT_EQ(md5("message digest"), (Md5{0xf96b697d7cb7938d, 0x525a2f31aaf161d0}));
  EXPECT_EQ(md5("abcdefghijklmnopqrstuvwxyz"), (Md5{0xc3fcd3d76192e400, 0x7dfb496cca67e13b}));
  EXPECT_EQ(md5("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"),
            (Md5{0xd174ab98d277d9f5, 0xa5611c2c9f419d9f}));
  EXPECT_EQ(md5("1234567890123456789012345678901234567890123456789012345678901234567890"
                "1234567890"),
            (Md5{0x57edf4a22be3c955, 0xac49da2e2107b67a}));
}

TEST(Md5, TheLengthMayFallOnEitherSideOfABlock) {
  // Digests of 55, 56 and 64 times the letter x: padding in one block, in two, and a block of padding alone.
  EXPECT_EQ(md5(std::string(55, 'x')), (Md5{0x04364420e25c512f, 0xd958a70738aa8f72}));
  EXPECT_EQ(md5(std::string(56, 'x')), (Md5{0x668a72d5ba17f08e, 0x62dabcafad6db14b}));
  EXPECT_EQ(md5(std::string(64, 'x')), (Md5{0xc1bb4f81d892b2d5, 0x7947682aeb252456}));
}

}  // namespace
}  // namespace signalbox
