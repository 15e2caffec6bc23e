#include "base/hash.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace signalbox {
namespace {

// Routers of different builds must agree on where a session goes, so these values are part of the contract.
TEST(Hash64, ValuesStayWhatTheyAre) {
  const std::string text = "The quick brown fox jumps over the lazy dog";
  std::uint64_t all = 0;
  for (std::size_t size = 0; size <= text.size(); ++size) all = hash64(text.substr(0, size), all);
  EXPECT_EQ(hash64("", 0), 13859017420879369291U);
  EXPECT_EQ(hash64("session-1", 7), 17943282850210290329U);
  EXPECT_EQ(all, 1594846514975584353U);
  std::string block;
  while (block.size() < 1000) block += text;
  EXPECT_EQ(block_hash64(block, 3), 18307272161415299847U);
}

TEST(Hash64, EveryBytePositionAndTheLengthCount) {
  std::set<std::uint64_t> seen;
  for (std::size_t size = 0; size <= 200; ++size) {
    EXPECT_TRUE(seen.insert(hash64(std::string(size, '\0'), 0)).second) << size;
    EXPECT_TRUE(seen.insert(block_hash64(std::string(size, '\0'), 0)).second) << size;
    for (std::size_t at = 0; at < size; ++at) {
      std::string text(size, '\0');
      text[at] = '\x80';
      EXPECT_TRUE(seen.insert(hash64(text, 0)).second) << size << ' ' << at;
      EXPECT_TRUE(seen.insert(block_hash64(text, 0)).second) << size << ' ' << at;
    }
  }
}

}  // namespace
}  // namespace signalbox
