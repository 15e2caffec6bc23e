#include "pii/evaluation.h"

#include <gtest/gtest.h>

namespace signalbox::pii {
namespace {

Marked marked(std::size_t begin, std::size_t end, std::string_view name) {
  return {begin, end, *parse_label(name)};
}

TEST(SpanScore, ExactAsksForTheSamePlaceOverlapForACommonCharacter) {
  SpanScore score;
  score.add({marked(0, 5, "PERSON"), marked(10, 15, "GPE")},
            {marked(0, 5, "PERSON"), marked(12, 20, "GPE")});
  EXPECT_DOUBLE_EQ(score.exact().f1(), 0.5);
  EXPECT_DOUBLE_EQ(score.overlap().f1(), 1.0);
  EXPECT_EQ(score.exact(*parse_label("GPE")).wrong, 1u);
  EXPECT_EQ(score.exact(*parse_label("GPE")).missed, 1u);
}

TEST(SpanScore, OneMarkedSpanIsMatchedOnce) {
  SpanScore score;
  score.add({marked(0, 10, "PERSON")}, {marked(0, 4, "PERSON"), marked(5, 10, "PERSON")});
  EXPECT_EQ(score.overlap().right, 1u);
  EXPECT_EQ(score.overlap().wrong, 1u);
}

TEST(SpanScore, AnotherTypeInTheSamePlaceIsWrongAndMissed) {
  SpanScore score;
  score.add({marked(0, 5, "PERSON")}, {marked(0, 5, "GPE")});
  EXPECT_EQ(score.overlap().wrong, 1u);
  EXPECT_EQ(score.overlap().missed, 1u);
}

TEST(SpanScore, LocationCountsPlacesAndAddresses) {
  SpanScore score;
  score.count_only({*parse_label("LOC"), *parse_label("PER")});
  score.add({marked(0, 5, "LOC"), marked(8, 20, "LOCATION")},
            {marked(0, 5, "GPE"), marked(8, 20, "STREET_ADDRESS"), marked(30, 34, "AGE")});
  EXPECT_DOUBLE_EQ(score.exact().f1(), 1.0);
}

TEST(SpanScore, UnknownNamesAreNoLabels) { EXPECT_EQ(parse_label("SHOE_SIZE"), std::nullopt); }

}  // namespace
}  // namespace signalbox::pii
