#include "index/chunk_hash.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

// Expected names: those that CPython 3.12.1 and 3.10.13 gave (ids 70000 to 70009 by 4, PYTHONHASHSEED=123), with hash() of
// the tuples that LMCache makes, and with hashlib over their CBOR.
namespace signalbox::index {
namespace {

using testing::ElementsAre;
using Algorithm = ChunkScheme::Algorithm;

std::vector<std::uint32_t> counting(std::uint32_t from, std::size_t count) {
  std::vector<std::uint32_t> ids(count);
  for (std::size_t i = 0; i < count; ++i) ids[i] = from + static_cast<std::uint32_t>(i);
  return ids;
}

ChunkScheme scheme_saying(const std::string& words, std::string_view seed = "123") {
  for (const auto& scheme : chunk_schemes(seed))
    if (scheme.says.find(words) != std::string::npos) return scheme;
  ADD_FAILURE() << words;
  return {};
}

std::vector<std::uint64_t> names_by(const ChunkScheme& scheme) {
  std::vector<std::uint64_t> names;
  chunk_names(scheme, counting(70000, 10), 4, names);
  return names;
}

TEST(ChunkHash, IsLmcachesWithPythonsOwnHash) {
  EXPECT_THAT(names_by(scheme_saying("PYTHONHASHSEED=123, LMCache 0.5, Python 3.11 and newer")),
              ElementsAre(14988401586094175463U, 3797858593945261805U, 10139551266049839002U));
  EXPECT_THAT(
      names_by(scheme_saying("PYTHONHASHSEED=123, LMCache before 0.5, Python 3.11 and newer")),
      ElementsAre(11209106856559807553U, 17083404003305450676U, 9359133546718766081U));
  EXPECT_THAT(names_by(scheme_saying("PYTHONHASHSEED=123, LMCache 0.5, Python 3.10 and older")),
              ElementsAre(1485475295484363831U, 15816288444860781297U, 15881685277148340689U));
}

// Ids 70000 to 70599 by LMCache 0.5.6 itself, with vLLM 0.32 and Python 3.11 (test/golden/lmcache/0_5_6.txt).
TEST(ChunkHash, IsWhatLmcacheItselfMade) {
  const auto scheme = scheme_saying("PYTHONHASHSEED=123, LMCache 0.5, Python 3.11 and newer");
  std::vector<std::uint64_t> names;
  chunk_names(scheme, counting(70000, 512), 256, names);
  EXPECT_THAT(names, ElementsAre(7420731885430568974U, 6935930633831908633U));
}

TEST(ChunkHash, IsLmcachesWithSha256) {
  EXPECT_THAT(names_by(scheme_saying("sha256_cbor, PYTHONHASHSEED=123, LMCache 0.5")),
              ElementsAre(17072537167753868504U, 13235256676175336029U, 6223938767243465501U));
  EXPECT_THAT(names_by(scheme_saying("sha256_cbor, PYTHONHASHSEED=123, LMCache before 0.5")),
              ElementsAre(11154768248522687278U, 513858551180514378U, 4897299173642073719U));
}

TEST(ChunkHash, TheFirstNamesAreThoseOfEachScheme) {
  const auto schemes = chunk_schemes("77");
  const auto ids = counting(5, 256);
  std::vector<std::uint64_t> first;
  first_names(schemes, ids, first);
  ASSERT_EQ(first.size(), schemes.size());
  for (std::size_t i = 0; i < schemes.size(); ++i) {
    std::vector<std::uint64_t> names;
    chunk_names(schemes[i], ids, 256, names);
    ASSERT_EQ(names.size(), 1U);
    EXPECT_EQ(first[i], names[0]) << schemes[i].says;
    EXPECT_EQ(std::ranges::count(first, first[i]), 1) << "two schemes for one name";
  }
}

// 0 and 123 are LMCache's documents' and the charts'; a seed that is none of Python's still counts for SHA-256.
TEST(ChunkHash, SchemesAreOfTheSeedAndOfTheCustomaryOnes) {
  for (const std::string_view seed : {"", "0", "123", "9", "random", "4294967295"}) {
    const auto schemes = chunk_schemes(seed);
    EXPECT_LE(schemes.size(), 32U);
    const auto says = [&](const std::string& words) {
      return std::ranges::any_of(schemes, [&](const ChunkScheme& scheme) {
        return scheme.says.find(words) != std::string::npos;
      });
    };
    EXPECT_TRUE(says("builtin hash, PYTHONHASHSEED=123,"));
    EXPECT_TRUE(says("builtin hash, PYTHONHASHSEED=0,"));
    EXPECT_TRUE(says("builtin hash from 0"));
    EXPECT_TRUE(says("sha256_cbor, no PYTHONHASHSEED"));
    EXPECT_FALSE(says("builtin hash, PYTHONHASHSEED=random"));
    if (seed != "9") continue;
    EXPECT_NE(schemes.front().says.find("PYTHONHASHSEED=9"), std::string::npos);
  }
}

TEST(ChunkHash, TheLastChunkIsWhatIsLeft) {
  const auto scheme = chunk_schemes("1").front();
  std::vector<std::uint64_t> whole;
  std::vector<std::uint64_t> part;
  chunk_names(scheme, counting(0, 8), 4, whole);
  chunk_names(scheme, counting(0, 7), 4, part);
  ASSERT_EQ(part.size(), 2U);
  EXPECT_EQ(part[0], whole[0]);
  EXPECT_NE(part[1], whole[1]);
  chunk_names(scheme, {}, 4, whole);
  EXPECT_TRUE(whole.empty());
  chunk_names(scheme, counting(0, 8), 0, whole);
  EXPECT_TRUE(whole.empty());
}

}  // namespace
}  // namespace signalbox::index
