#include "index/block_chain.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace signalbox::index {
namespace {

std::vector<BlockHash> chain_of(std::string_view text) {
  BlockChain chain;
  chain.add(text);
  return {chain.hashes().begin(), chain.hashes().end()};
}

std::string letters(std::size_t size, int seed) {
  std::string text;
  for (std::size_t i = 0; i < size; ++i)
    text += static_cast<char>('a' + (i * 7 + i / 97 + static_cast<std::size_t>(seed)) % 26);
  return text;
}

TEST(BlockChain, BytesOfBlocksAreTheSumOfTheirSizes) {
  std::size_t sum = 0;
  for (std::size_t i = 0; i < limits::kPrefixBlocksMax; ++i) {
    EXPECT_EQ(blocks_bytes(i), sum);
    sum += block_units(i) * kBlockUnitBytes;
  }
}

TEST(BlockChain, ABlockIsAtMostAnEighthOfWhatLiesBeforeItOrTheSmallestUnit) {
  for (std::size_t i = 0; i < limits::kPrefixBlocksMax; ++i) {
    const std::size_t size = block_units(i) * kBlockUnitBytes;
    EXPECT_TRUE(size == kBlockUnitBytes || size * 8 <= blocks_bytes(i)) << i;
  }
}

RC_GTEST_PROP(BlockChain, WhereTheTextWasCutDoesNotMatter, ()) {
  const std::string text = letters(*rc::gen::inRange<std::size_t>(0, 90'000), 1);
  const auto sizes = *rc::gen::container<std::vector<std::size_t>>(
      rc::gen::weightedOneOf<std::size_t>({{3, rc::gen::inRange<std::size_t>(0, 700)},
                                           {1, rc::gen::inRange<std::size_t>(0, 20'000)}}));
  BlockChain chain;
  std::string_view rest = text;
  for (const std::size_t size : sizes) {
    chain.add(rest.substr(0, size));
    rest.remove_prefix(std::min(size, rest.size()));
  }
  chain.add(rest);
  RC_ASSERT(std::ranges::equal(chain.hashes(), chain_of(text)));
  RC_ASSERT(chain.bytes() == text.size());
}

RC_GTEST_PROP(BlockChain, NamesAgreeExactlyUpToTheBlockWhereTextsDiffer, ()) {
  const std::string one = letters(*rc::gen::inRange<std::size_t>(1, 90'000), 1);
  std::string other = one;
  const auto at = *rc::gen::inRange<std::size_t>(0, one.size());
  other[at] = '!';
  const auto a = chain_of(one);
  const auto b = chain_of(other);
  RC_ASSERT(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i)
    RC_ASSERT((a[i] == b[i]) == (blocks_bytes(i + 1) <= at));
}

TEST(BlockChain, TheLongestPromptHasABoundedNumberOfNames) {
  BlockChain chain;
  const std::string text(1 << 20, 'x');
  for (int i = 0; i < 8; ++i) chain.add(text);
  EXPECT_EQ(chain.hashes().size(), limits::kPrefixBlocksMax);
  EXPECT_EQ(chain.bytes(), 8U << 20);
}

TEST(BlockChain, NamesAreTheSameOnEveryMachine) {
  // Two routers must agree, so a change of these values is a change of the protocol between them.
  const auto chain = chain_of(letters(600, 0));
  ASSERT_EQ(chain.size(), 2U);
  EXPECT_EQ(chain[0], 8079739030095393035ULL);
  EXPECT_EQ(chain[1], 11339024072223291186ULL);
}

}  // namespace
}  // namespace signalbox::index
