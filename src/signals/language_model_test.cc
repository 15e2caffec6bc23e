#include "signals/language_model.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>

#include "base/file.h"
#include "base/text.h"

namespace signalbox::signals {
namespace {

constexpr const char* kModels = SIGNALBOX_SOURCE_DIR "/models";

const LanguageModel& model() {
  static const LanguageModel loaded = [] {
    auto result = LanguageModel::load(kModels);
    EXPECT_TRUE(result) << (result ? "" : result.error().message);
    return result ? *std::move(result) : LanguageModel();
  }();
  return loaded;
}

std::string_view code(std::string_view text) { return model().detect(text).code; }

TEST(LanguageModel, RecognisesEverydayPrompts) {
  EXPECT_EQ(code("What is the derivative of f(x) = x^3?"), "en");
  EXPECT_EQ(code("Wie spät ist es gerade in Berlin?"), "de");
  EXPECT_EQ(code("¿Cuál es la capital de Argentina?"), "es");
  EXPECT_EQ(code("Quelle est la dérivée de cette fonction ?"), "fr");
  EXPECT_EQ(code("Какая сегодня погода в Москве?"), "ru");
  EXPECT_EQ(code("Яка сьогодні погода у Києві?"), "uk");
  EXPECT_EQ(code("什么是导数？"), "zh");
  EXPECT_EQ(code("微分とは何ですか？"), "ja");
  EXPECT_EQ(code("미분이란 무엇인가요?"), "ko");
  EXPECT_EQ(code("ما هي عاصمة مصر؟"), "ar");
  EXPECT_EQ(code("भारत की राजधानी क्या है?"), "hi");
}

TEST(LanguageModel, TextWithoutLettersHasNoLanguage) {
  EXPECT_EQ(code(""), "");
  EXPECT_EQ(code("12 + 30 = ?!"), "");
  EXPECT_EQ(code("\xFF\xFE\x80"), "");
}

TEST(LanguageModel, AMixOfScriptsLowersTheConfidence) {
  const auto pure = model().detect("Пожалуйста, переведи этот текст на английский язык");
  const auto mixed = model().detect("Пожалуйста, переведи: please translate this");
  EXPECT_EQ(pure.code, "ru");
  EXPECT_LT(mixed.confidence, pure.confidence);
}

TEST(LanguageModel, ReadsNoFurtherThanItsLimit) {
  std::string text;
  while (text.size() < (1 << 20)) text += "Das ist ein ganz gewöhnlicher deutscher Satz. ";
  const auto guess = model().detect(text + "This tail is English.");
  EXPECT_EQ(guess.code, "de");
}

// Written by train/language.py: the same features, weights and calibration on both sides.
TEST(LanguageModel, AgreesWithTheTrainer) {
  const auto golden = read_file(SIGNALBOX_SOURCE_DIR "/test/golden/signals/language.txt", 1 << 20);
  ASSERT_TRUE(golden);
  int lines = 0;
  for (const std::string_view line : split(*golden, '\n')) {
    const std::size_t first = line.find('\t');
    const std::size_t second = line.find('\t', first + 1);
    const auto guess = model().detect(line.substr(second + 1));
    EXPECT_EQ(guess.code, line.substr(0, first)) << line;
    EXPECT_NEAR(guess.confidence, *parse_double(line.substr(first + 1, second - first - 1)), 2e-3)
        << line;
    ++lines;
  }
  EXPECT_GE(lines, 30);
}

TEST(LanguageModel, AMissingFolderIsAnErrorOfItsOwn) {
  const auto missing = LanguageModel::load("/nonexistent");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Code::kIo);
}

TEST(LanguageModel, EveryTruncationIsRefused) {
  const auto bytes = read_file(std::string(kModels) + "/language/model.bin", 16 << 20);
  ASSERT_TRUE(bytes);
  for (std::size_t size :
       {std::size_t{0}, std::size_t{7}, std::size_t{8}, std::size_t{12}, std::size_t{30},
        std::size_t{500}, std::size_t{100'000}, bytes->size() - 1}) {
    const auto parsed = LanguageModel::parse(std::string_view(*bytes).substr(0, size));
    ASSERT_FALSE(parsed) << size;
    EXPECT_EQ(parsed.error().code, Code::kCorrupt);
  }
  EXPECT_FALSE(LanguageModel::parse(*bytes + "x"));
}

RC_GTEST_PROP(LanguageModel, NoTextMakesItStumble, (const std::string& text)) {
  const auto guess = model().detect(text);
  RC_ASSERT(guess.code.empty() || (guess.confidence > 0 && guess.confidence <= 1.0001F));
}

RC_GTEST_PROP(LanguageModel, ADamagedHeaderIsRefusedOrHarmless, ()) {
  static const std::string bytes =
      *read_file(std::string(kModels) + "/language/model.bin", 16 << 20);
  std::string damaged = bytes;
  const int flips = *rc::gen::inRange(1, 6);
  for (int i = 0; i < flips; ++i) damaged[*rc::gen::inRange(8, 600)] = *rc::gen::arbitrary<char>();
  const auto parsed = LanguageModel::parse(damaged);
  if (parsed) parsed->detect("какой это язык, and which one is this?");
}

}  // namespace
}  // namespace signalbox::signals
