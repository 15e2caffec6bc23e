#include "base/python_hash.h"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

// Expected values: what CPython 3.10.13 and 3.12.1 printed, with PYTHONHASHSEED=123 where texts are concerned.
namespace signalbox::python {
namespace {

std::int64_t tuple(const std::vector<std::int64_t>& hashes) {
  TupleHash hash;
  for (const auto element : hashes) hash.add(element);
  return hash.finish();
}

TEST(PythonHash, OfIntegers) {
  EXPECT_EQ(hash_integer(0), 0);
  EXPECT_EQ(hash_integer(-1), -2);
  EXPECT_EQ(hash_integer((std::int64_t{1} << 61) - 1), 0);
  EXPECT_EQ(hash_integer(std::numeric_limits<std::int64_t>::min()), -4);
  EXPECT_EQ(hash_integer(std::numeric_limits<std::int64_t>::max()), 3);
  EXPECT_EQ(hash_integer(-5), -5);
}

TEST(PythonHash, OfTuples) {
  EXPECT_EQ(tuple({}), 5740354900026072187);
  EXPECT_EQ(tuple({-2}), 8078679518589016365);
  const std::int64_t tokens = tuple({0, 1, 2, 70000, 151643});
  const std::int64_t root = hash_integer(-6197052367682486848);
  EXPECT_EQ(tuple({root, tokens, tuple({})}), 6588971940776016102);
  EXPECT_EQ(tuple({root, tokens, kHashOfNone}), -4236352077393208633) << "Python 3.12";
}

TEST(PythonHash, OfTexts) {
  const auto of = [](std::string_view text, SipRounds rounds, std::string_view seed = "123") {
    return hash_text(text, seed, rounds);
  };
  EXPECT_EQ(of("123", SipRounds::kOneThree), -6197052367682486848);
  EXPECT_EQ(of("12345678", SipRounds::kOneThree), -4871613040056487138);
  EXPECT_EQ(of("vllm-none-hash", SipRounds::kOneThree), 6179511450417565581);
  EXPECT_EQ(of("123", SipRounds::kTwoFour), 5058693379651968498);
  EXPECT_EQ(of("vllm-none-hash", SipRounds::kTwoFour), 7537266323527112598);
  EXPECT_EQ(of("0", SipRounds::kOneThree, "0"), 5313149338359954478) << "no randomness";
  EXPECT_EQ(of("", SipRounds::kOneThree), 0);
}

TEST(PythonHash, OfATextNeedsASeedThatPythonTakes) {
  for (const std::string_view seed : {"", "random", "-1", "4294967296", "1.5"})
    EXPECT_FALSE(hash_text("a", seed, SipRounds::kOneThree)) << seed;
  EXPECT_TRUE(hash_text("a", "4294967295", SipRounds::kOneThree));
}

}  // namespace
}  // namespace signalbox::python
