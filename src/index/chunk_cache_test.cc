#include "index/chunk_cache.h"

#include <gtest/gtest.h>

#include "base/limits.h"

namespace signalbox::index {
namespace {

constexpr std::uint32_t kChunk = 4;

std::vector<std::uint32_t> counting(std::uint32_t from, std::size_t count) {
  std::vector<std::uint32_t> ids(count);
  for (std::size_t i = 0; i < count; ++i) ids[i] = from + static_cast<std::uint32_t>(i);
  return ids;
}

struct ChunkCacheTest : testing::Test {
  std::vector<std::uint64_t> chunks(const std::vector<std::uint32_t>& ids, std::size_t scheme) {
    std::vector<std::uint64_t> names;
    chunk_names(schemes[scheme], ids, kChunk, names);
    return names;
  }
  std::vector<std::uint64_t> first(const std::vector<std::uint32_t>& ids) {
    std::vector<std::uint64_t> names;
    first_names(schemes, std::span(ids).first(kChunk), names);
    return names;
  }
  KvHeld held(const std::vector<std::uint32_t>& ids, std::size_t scheme) {
    KvMatches matches;
    KvIndex::begin(matches);
    index->match_named(chunks(ids, scheme), kChunk, static_cast<std::uint32_t>(ids.size()),
                       matches);
    return matches.held(cache.engine().slot());
  }

  std::vector<ChunkScheme> schemes = chunk_schemes("5");
  std::shared_ptr<KvIndex> index = std::make_shared<KvIndex>();
  ChunkCache cache{index->add_engine()};
};

TEST_F(ChunkCacheTest, HoldsABeginningOfAPromptByItsTier) {
  const auto ids = counting(0, 18);
  const auto names = chunks(ids, 0);
  ASSERT_EQ(names.size(), 5U);
  cache.store(std::span(names).first(2), 1);
  cache.store(std::span(names).subspan(2, 1), 2);
  EXPECT_EQ(held(ids, 0).tokens, (std::array<std::uint32_t, 3>{0, 8, 12}));
  cache.store(std::span(names).subspan(3), 1);
  cache.store(std::span(names).subspan(2, 1), 1);
  EXPECT_EQ(held(ids, 0).tokens, (std::array<std::uint32_t, 3>{0, 18, 18})) << "its last part too";
  EXPECT_EQ(held(ids, 1).tokens, (std::array<std::uint32_t, 3>{})) << "names of another scheme";
  EXPECT_EQ(cache.tier_of(names[2]), 1U);
  cache.clear(1);
  EXPECT_EQ(cache.tier_of(names[2]), 2U);
  EXPECT_EQ(cache.engine().blocks(), 1U);
  cache.remove(names, 2);
  EXPECT_EQ(cache.engine().blocks(), 0U);
  EXPECT_EQ(index->entries(), 0U);
}

TEST_F(ChunkCacheTest, RecognisesItsSchemeByAChunkThatIsExpected) {
  const auto ids = counting(100, 8);
  cache.expect(first(ids));
  EXPECT_FALSE(cache.scheme());
  cache.store(chunks(counting(900, 8), 2), 1);
  EXPECT_FALSE(cache.scheme()) << "a prompt that we did not send";
  cache.store(chunks(ids, 2), 1);
  EXPECT_EQ(cache.scheme(), 2U);
  cache.restart();
  EXPECT_FALSE(cache.scheme());
  EXPECT_EQ(cache.engine().blocks(), 0U);
}

TEST_F(ChunkCacheTest, RecognisesItsSchemeByAChunkThatIsThereAlready) {
  const auto ids = counting(100, 8);
  cache.recognise(first(ids), *index);
  EXPECT_FALSE(cache.scheme());
  // That it is expected there is nobody's word.
  KvMatches matches;
  KvIndex::begin(matches);
  index->match_named(chunks(ids, 1), kChunk, 8, matches);
  index->pend(matches.names(), cache.engine().slot());
  cache.recognise(first(ids), *index);
  EXPECT_FALSE(cache.scheme());
  cache.store(chunks(ids, 1), 1);
  cache.recognise(first(ids), *index);
  EXPECT_EQ(cache.scheme(), 1U);
}

TEST_F(ChunkCacheTest, NamesThatAreNeverMetAreForeign) {
  const auto send_and_store = [&](std::uint32_t from) {
    cache.expect(first(counting(from, 8)));
    cache.store(std::vector<std::uint64_t>{from + 1U}, 1);
  };
  for (std::uint32_t i = 0; i < 7; ++i) send_and_store(i * 100);
  EXPECT_FALSE(cache.foreign());
  cache.expect(first(counting(0, 8)));
  EXPECT_FALSE(cache.foreign()) << "the same prompt again says nothing";
  send_and_store(700);
  EXPECT_TRUE(cache.foreign());
  const auto ids = counting(5000, 8);
  cache.expect(first(ids));
  cache.store(chunks(ids, 0), 1);
  EXPECT_FALSE(cache.foreign()) << "one that is met is proof";
}

TEST_F(ChunkCacheTest, RemembersTheLastPromptsOnly) {
  const auto oldest = counting(1, 8);
  cache.expect(first(oldest));
  for (std::uint32_t i = 0; i < limits::kLmcacheExpectedMax; ++i)
    cache.expect(first(counting(1000 + i * 10, 8)));
  cache.store(chunks(oldest, 0), 1);
  EXPECT_FALSE(cache.scheme());
  cache.store(chunks(counting(1000, 8), 0), 1);
  EXPECT_EQ(cache.scheme(), 0U);
}

}  // namespace
}  // namespace signalbox::index
