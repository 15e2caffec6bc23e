#include "pii/entity.h"

#include <gtest/gtest.h>

namespace signalbox::pii {
namespace {

Entity rule(std::size_t begin, std::size_t end, Type type) {
  return {begin, end, type, 0.9f, Source::kRule};
}
Entity model(std::size_t begin, std::size_t end, Type type) {
  return {begin, end, type, 0.9f, Source::kModel};
}

TEST(Entity, EveryTypeIsReadBackFromItsName) {
  for (std::size_t i = 0; i < kTypes; ++i) {
    const auto type = static_cast<Type>(i);
    EXPECT_EQ(parse_type(type_name(type)), type);
  }
  EXPECT_EQ(parse_type("NAME"), std::nullopt);
}

TEST(Merge, ARuleBeatsTheModelWhereTheyOverlap) {
  const auto merged = merge({rule(10, 20, Type::kEmailAddress)},
                            {model(5, 12, Type::kPerson), model(30, 35, Type::kGpe)});
  EXPECT_EQ(merged, (std::vector{rule(10, 20, Type::kEmailAddress), model(30, 35, Type::kGpe)}));
}

TEST(Merge, TheLongerRuleWins) {
  EXPECT_EQ(merge({rule(0, 4, Type::kZipCode), rule(0, 9, Type::kPhoneNumber)}, {}),
            (std::vector{rule(0, 9, Type::kPhoneNumber)}));
}

TEST(Merge, AnAddressSwallowsItsPostalCode) {
  EXPECT_EQ(merge({rule(20, 25, Type::kZipCode)}, {model(0, 25, Type::kStreetAddress)}),
            (std::vector{model(0, 25, Type::kStreetAddress)}));
  EXPECT_EQ(merge({rule(20, 30, Type::kEmailAddress)}, {model(0, 40, Type::kStreetAddress)}),
            (std::vector{rule(20, 30, Type::kEmailAddress)}));
}

TEST(Merge, TheModelsLongerEntityOfTheSameTypeStays) {
  EXPECT_EQ(merge({rule(8, 12, Type::kDateTime)}, {model(0, 12, Type::kDateTime)}),
            (std::vector{model(0, 12, Type::kDateTime)}));
}

TEST(Mask, PutsTheTypeInPlaceOfTheValue) {
  EXPECT_EQ(mask("call Ann now", {model(5, 8, Type::kPerson)}), "call [PERSON] now");
}

TEST(CodePoints, CountsCharactersNotBytes) {
  CodePoints points("aé中😀b");
  EXPECT_EQ(points.before(0), 0u);
  EXPECT_EQ(points.before(3), 2u);
  EXPECT_EQ(points.before(10), 4u);
  EXPECT_EQ(points.before(11), 5u);
}

}  // namespace
}  // namespace signalbox::pii
