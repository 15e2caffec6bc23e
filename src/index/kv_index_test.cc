#include "index/kv_index.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <map>
#include <set>
#include <thread>

namespace signalbox::index {
namespace {

using Tokens = std::vector<std::uint32_t>;
constexpr std::uint32_t kBlock = 4;

Tokens counting(std::uint32_t from, std::size_t count) {
  Tokens tokens(count);
  for (std::size_t i = 0; i < count; ++i) tokens[i] = from + static_cast<std::uint32_t>(i);
  return tokens;
}

// Names as an engine with its own hash would give them; `seed` is the engine's.
std::vector<std::uint64_t> names(const Tokens& tokens, std::uint64_t seed,
                                 std::uint32_t block = kBlock) {
  std::vector<std::uint64_t> out;
  std::uint64_t name = seed;
  for (std::size_t at = 0; at + block <= tokens.size(); at += block) {
    for (std::size_t i = 0; i < block; ++i) name = name * 1099511628211ULL ^ (tokens[at + i] + 7);
    out.push_back(name);
  }
  return out;
}

KvEngine::Outcome store(KvEngine& engine, const Tokens& tokens, std::uint64_t seed,
                        std::string_view adapter = {}, std::string_view salt = {},
                        std::size_t tier = 0, std::uint32_t block = kBlock) {
  const auto blocks = names(tokens, seed, block);
  return engine.store({.blocks = blocks,
                       .parent = std::nullopt,
                       .tokens = tokens,
                       .block_tokens = block,
                       .adapter = adapter,
                       .cache_salt = salt,
                       .extras = {},
                       .tier = tier});
}

KvHeld held(const KvIndex& index, const KvEngine& engine, const Tokens& prompt,
            std::string_view adapter = {}, std::string_view salt = {},
            std::uint32_t block = kBlock) {
  KvMatches matches;
  KvIndex::begin(matches);
  index.match(prompt, kv_root(adapter, salt), block, matches);
  return matches.held(engine.slot());
}

struct Fixture : testing::Test {
  std::shared_ptr<KvIndex> index = std::make_shared<KvIndex>();
  std::shared_ptr<KvEngine> a = index->add_engine();
  std::shared_ptr<KvEngine> b = index->add_engine();
};
using KvIndexTest = Fixture;

TEST_F(KvIndexTest, KnowsWhatEnginesStored) {
  store(*a, counting(0, 16), 1);
  store(*b, counting(0, 8), 2);
  EXPECT_EQ(held(*index, *a, counting(0, 20)).tokens[0], 16U);
  EXPECT_EQ(held(*index, *b, counting(0, 20)).tokens[0], 8U);
  EXPECT_EQ(held(*index, *a, counting(0, 11)).tokens[0], 8U);
  EXPECT_EQ(held(*index, *a, counting(1, 20)).tokens[0], 0U);
}

TEST_F(KvIndexTest, ChildrenContinueTheirParent) {
  const auto tokens = counting(0, 16);
  const auto all = names(tokens, 1);
  store(*a, counting(0, 8), 1);
  const std::span rest(all.begin() + 2, all.end());
  const auto outcome = a->store({.blocks = rest,
                                 .parent = all[1],
                                 .tokens = std::span(tokens).subspan(8),
                                 .block_tokens = kBlock,
                                 .extras = {}});
  EXPECT_EQ(outcome.orphans, 0U);
  EXPECT_EQ(held(*index, *a, tokens).tokens[0], 16U);
}

TEST_F(KvIndexTest, ABlockWithoutItsParentIsAnOrphan) {
  const auto tokens = counting(8, 8);
  const auto blocks = names(tokens, 5);
  const auto outcome = a->store(
      {.blocks = blocks, .parent = 99, .tokens = tokens, .block_tokens = kBlock, .extras = {}});
  EXPECT_EQ(outcome.orphans, 2U);
  EXPECT_EQ(a->blocks(), 0U);
}

TEST_F(KvIndexTest, RemovedBlocksAreGone) {
  const auto tokens = counting(0, 16);
  const auto all = names(tokens, 1);
  store(*a, tokens, 1);
  a->remove(std::span(all).subspan(2), 0);
  EXPECT_EQ(held(*index, *a, tokens).tokens[0], 8U);
  a->remove(std::span(all), 0);
  EXPECT_EQ(index->entries(), 0U);
}

TEST_F(KvIndexTest, AdaptersAndSaltsAreApart) {
  store(*a, counting(0, 8), 1, "maths", "tenant");
  EXPECT_EQ(held(*index, *a, counting(0, 8), "maths", "tenant").tokens[0], 8U);
  EXPECT_EQ(held(*index, *a, counting(0, 8), "", "tenant").tokens[0], 0U);
  EXPECT_EQ(held(*index, *a, counting(0, 8), "maths").tokens[0], 0U);
}

TEST_F(KvIndexTest, TiersAddUp) {
  const auto tokens = counting(0, 16);
  const auto all = names(tokens, 1);
  store(*a, tokens, 1);
  // Offloaded by name, then dropped from the GPU's end.
  a->store({.blocks = all, .tokens = {}, .block_tokens = kBlock, .extras = {}, .tier = 1});
  a->remove(std::span(all).subspan(1), 0);
  const auto now = held(*index, *a, tokens);
  EXPECT_EQ(now.tokens[0], 4U);
  EXPECT_EQ(now.tokens[1], 16U);
  EXPECT_EQ(now.tokens[2], 16U);
  a->remove(std::span(all).subspan(2), 1);
  EXPECT_EQ(held(*index, *a, tokens).tokens[1], 8U);
}

TEST_F(KvIndexTest, AnImageMakesTheRestAnother) {
  const auto tokens = counting(0, 8);
  const auto blocks = names(tokens, 1);
  const std::vector<std::uint64_t> extras = {0, 77};
  a->store({.blocks = blocks, .tokens = tokens, .block_tokens = kBlock, .extras = extras});
  EXPECT_EQ(held(*index, *a, tokens).tokens[0], 4U);
}

TEST_F(KvIndexTest, EnginesOfOtherBlockSizesMeetUnderOneName) {
  store(*a, counting(0, 16), 1);
  store(*b, counting(0, 16), 2, {}, {}, 0, 8);
  EXPECT_EQ(held(*index, *b, counting(0, 16), {}, {}, 8).tokens[0], 16U);
  EXPECT_EQ(held(*index, *a, counting(0, 16), {}, {}, 8).tokens[0], 16U);
}

TEST_F(KvIndexTest, AnEngineLeavesWithItsLastPointer) {
  store(*a, counting(0, 16), 1);
  EXPECT_EQ(index->entries(), 4U);
  a.reset();
  EXPECT_EQ(index->entries(), 0U);
}

// Against sets of token sequences: random prompts that share beginnings, stored and dropped from their ends as engines do.
TEST(KvIndex, AgreesWithANaiveModel) {
  rc::check([] {
    auto index = std::make_shared<KvIndex>();
    std::array engines = {index->add_engine(), index->add_engine(), index->add_engine()};
    std::array<std::map<Tokens, std::uint64_t>, 3> model;  // held beginnings, and the engine's name
    const auto steps = *rc::gen::inRange(1, 40);
    const auto prompt = [] {
      return *rc::gen::container<Tokens>(std::size_t(4 * *rc::gen::inRange(1, 6)),
                                         rc::gen::inRange<std::uint32_t>(0, 2));
    };
    for (int step = 0; step < steps; ++step) {
      const auto e = static_cast<std::size_t>(*rc::gen::inRange(0, 3));
      const auto tokens = prompt();
      if (*rc::gen::inRange(0, 3) > 0) {
        store(*engines[e], tokens, 10 + e);
        const auto all = names(tokens, 10 + e);
        for (std::size_t i = 0; i < all.size(); ++i)
          model[e][Tokens(tokens.begin(),
                          tokens.begin() + static_cast<std::ptrdiff_t>(4 * (i + 1)))] = all[i];
      } else if (!model[e].empty()) {
        // Drop a block that no held block continues: the longest.
        const auto longest = std::ranges::max_element(
            model[e], {}, [](const auto& held) { return held.first.size(); });
        const std::uint64_t name = longest->second;
        engines[e]->remove(std::span(&name, 1), 0);
        model[e].erase(longest);
      }
      const auto asked = prompt();
      for (std::size_t i = 0; i < engines.size(); ++i) {
        std::uint32_t expected = 0;
        while (expected + 4 <= asked.size() &&
               model[i].contains(Tokens(asked.begin(), asked.begin() + expected + 4)))
          expected += 4;
        RC_ASSERT(held(*index, *engines[i], asked).tokens[0] == expected);
        RC_ASSERT(engines[i]->blocks() == model[i].size());
      }
    }
  });
}

TEST(KvIndex, IsReadWhileItChanges) {
  auto index = std::make_shared<KvIndex>();
  const auto engine = index->add_engine();
  std::atomic<bool> done{false};
  std::thread reader([&] {
    while (!done) {
      const auto tokens = held(*index, *engine, counting(0, 400)).tokens[0];
      EXPECT_EQ(tokens % kBlock, 0U);
    }
  });
  for (int i = 0; i < 200; ++i) {
    store(*engine, counting(0, 400), 1);
    engine->clear();
  }
  done = true;
  reader.join();
  EXPECT_EQ(index->entries(), 0U);
}

}  // namespace
}  // namespace signalbox::index
