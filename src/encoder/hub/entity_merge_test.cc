#include "encoder/hub/entity_merge.h"

#include <gtest/gtest.h>

namespace signalbox::encoder {
namespace {

using Spans = std::vector<tokenize::WordSpan>;

const std::vector<std::string> kLabels{"O", "B-PERSON", "I-PERSON", "B-ZIP", "I-ZIP"};

std::vector<Entity> merge(std::string_view text, const Spans& spans,
                          const std::vector<int>& labels) {
  std::vector<TokenLabel> tokens;
  for (const int label : labels) tokens.push_back({label, 0.5f});
  return merge_entities(text, spans, tokens, kLabels);
}

TEST(EntityMerge, BeginAndInsideAreOneEntity) {
  EXPECT_EQ(merge("Ann Lee ran", {{0, 3}, {3, 7}, {7, 11}}, {1, 2, 0}),
            (std::vector<Entity>{{"PERSON", 0, 7, 0.5f}}));
}

TEST(EntityMerge, ASecondBeginIsASecondEntity) {
  EXPECT_EQ(merge("Ann Bob", {{0, 3}, {3, 7}}, {1, 1}),
            (std::vector<Entity>{{"PERSON", 0, 3, 0.5f}, {"PERSON", 4, 7, 0.5f}}));
}

TEST(EntityMerge, ABeginInTheMiddleOfAWordContinuesIt) {
  EXPECT_EQ(merge("90210", {{0, 2}, {2, 5}}, {3, 3}), (std::vector<Entity>{{"ZIP", 0, 5, 0.5f}}));
  EXPECT_EQ(merge("Anna x", {{0, 4}, {0, 4}, {5, 6}}, {1, 1, 0}),
            (std::vector<Entity>{{"PERSON", 0, 4, 0.5f}}));
}

TEST(EntityMerge, AnotherTypeEndsAnEntity) {
  EXPECT_EQ(merge("Ann 90210", {{0, 3}, {3, 9}}, {1, 4}),
            (std::vector<Entity>{{"PERSON", 0, 3, 0.5f}, {"ZIP", 4, 9, 0.5f}}));
}

TEST(EntityMerge, InsideWithoutBeginIsAnEntity) {
  EXPECT_EQ(merge("Ann", {{0, 3}}, {2}), (std::vector<Entity>{{"PERSON", 0, 3, 0.5f}}));
}

TEST(EntityMerge, WhiteSpaceAtTheEndsIsCutOffAndABlankEntityVanishes) {
  EXPECT_EQ(merge("  Ann \n", {{0, 7}}, {1}), (std::vector<Entity>{{"PERSON", 2, 5, 0.5f}}));
  EXPECT_TRUE(merge("   ", {{0, 3}}, {1}).empty());
}

TEST(EntityMerge, ATokenThatWasNotLookedAtEndsAnEntity) {
  EXPECT_EQ(merge("Ann Lee", {{0, 3}, {0, 0}, {4, 7}}, {1, 0, 2}),
            (std::vector<Entity>{{"PERSON", 0, 3, 0.5f}, {"PERSON", 4, 7, 0.5f}}));
}

TEST(EntityMerge, ConfidenceIsTheMeanOverTheTokens) {
  const std::vector<TokenLabel> tokens{{1, 0.5f}, {2, 1.0f}};
  const auto entities = merge_entities("Ann Lee", Spans{{0, 3}, {3, 7}}, tokens, kLabels);
  ASSERT_EQ(entities.size(), 1u);
  EXPECT_FLOAT_EQ(entities.front().confidence, 0.75f);
}

}  // namespace
}  // namespace signalbox::encoder
