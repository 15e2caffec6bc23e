#include "encoder/entity_reader.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "encoder/encoder.h"
#include "encoder/locate.h"
#include "encoder/testing.h"

namespace signalbox::encoder {
namespace {

// The real base and head; both are there in a working tree after `./dev build`.
const Encoder* shipped() {
  static const auto encoder = [] {
    const Directories directories = locate();
    auto loaded = Encoder::load(directories.base, directories.models);
    return loaded ? std::move(*loaded) : nullptr;
  }();
  return encoder.get();
}

std::string found(const std::string& text) {
  Workspace workspace;
  const auto analysis = shipped()->analyze(text, Demand::kPii, workspace);
  std::string out;
  for (const pii::Entity& entity : analysis.entities) {
    out += (out.empty() ? "" : " | ") + std::string(pii::type_name(entity.type)) + ":" +
           text.substr(entity.begin, entity.end - entity.begin);
  }
  return out;
}

class ShippedEntities : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NE(shipped(), nullptr) << testing::missing_base(locate().base);
    ASSERT_NE(shipped()->token_head(), nullptr) << "models/pii does not load";
  }
};

TEST_F(ShippedEntities, NamesAndPlacesComeFromTheModelNumbersFromRules) {
  EXPECT_EQ(found("My name is Peter Olsen and I live in Oslo, call +47 22 12 34 56."),
            "PERSON:Peter Olsen | GPE:Oslo | PHONE_NUMBER:+47 22 12 34 56");
}

TEST_F(ShippedEntities, ATextWithoutPersonalDataHasNone) {
  EXPECT_EQ(found("Explain how a hash table resolves collisions."), "");
  EXPECT_EQ(found(""), "");
}

TEST_F(ShippedEntities, NamesAreFoundAtTheEndOfALongTextToo) {
  std::string text;
  for (int i = 0; i < 400; ++i) text += "The committee met and wrote a report. ";
  const std::string all = found(text + "My name is Peter Olsen and I live in Oslo.");
  EXPECT_NE(all.find("PERSON:Peter Olsen"), std::string::npos) << all;
  EXPECT_NE(all.find("GPE:Oslo"), std::string::npos) << all;
}

TEST_F(ShippedEntities, OffsetsAreRightBehindLettersOfSeveralBytes) {
  const std::string text = "Grüße aus Köln 😀 — I am Anna Müller, anna@example.org";
  EXPECT_NE(found(text).find("EMAIL_ADDRESS:anna@example.org"), std::string::npos) << found(text);
  EXPECT_NE(found(text).find("PERSON:Anna Müller"), std::string::npos) << found(text);
}

TEST(EntityReader, WithoutATokenHeadRulesStillFindIdentifiers) {
  const auto encoder = Encoder::load(testing::tiny_directory(), "/nonexistent");
  ASSERT_TRUE(encoder);
  Workspace workspace;
  const auto analysis = (*encoder)->analyze("mail a.b@example.org", Demand::kPii, workspace);
  ASSERT_EQ(analysis.entities.size(), 1u);
  EXPECT_EQ(analysis.entities[0].type, pii::Type::kEmailAddress);
}

}  // namespace
}  // namespace signalbox::encoder
