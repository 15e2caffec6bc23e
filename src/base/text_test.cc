#include "base/text.h"

#include <gtest/gtest.h>

#include <string>

namespace signalbox {
namespace {

TEST(Words, AreFoundWhateverTheirCaseAndNothingElseIs) {
  static constexpr Words kWords = {"te", "trailer", "Keep-Alive"};
  for (const auto* text : {"te", "TE", "Trailer", "keep-alive", "KEEP-ALIVE"})
    EXPECT_TRUE(kWords.contains(text)) << text;
  // Shorter, longer, the same first letter, a first character that shares a letter's bit, none at all.
  for (const auto* text : {"t", "tes", "trailers", "host", "4e", "\024e", "+eep-alive", ""})
    EXPECT_FALSE(kWords.contains(text)) << text;
}

TEST(Words, AFullListIsWhole) {
  static constexpr Words kWords = {"a", "b", "c", "d", "e", "f", "g", "h"};
  for (const char c : std::string("abcdefgh")) EXPECT_TRUE(kWords.contains({&c, 1})) << c;
  EXPECT_FALSE(kWords.contains("i"));
}

}  // namespace
}  // namespace signalbox
