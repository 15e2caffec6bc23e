#include "encoder/word_shape.h"

#include <gtest/gtest.h>

#include <string>

namespace signalbox::encoder {
namespace {

// Words at white space, a piece each.
std::vector<Word> words_of(const std::string& text) {
  std::vector<tokenize::WordSpan> spans;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find_first_of(" \n", at), text.size());
    if (end > at) spans.push_back({at, end});
    at = end + 1;
  }
  return group_words(spans);
}

std::vector<float> features(const std::string& text) {
  const auto words = words_of(text);
  std::vector<float> out(words.size() * kShapeFeatures);
  shape_features(text, words, out.data());
  return out;
}

std::vector<float> of_word(const std::string& text, std::size_t word) {
  const auto all = features(text);
  return {all.begin() + static_cast<std::ptrdiff_t>(word * kShapeFeatures),
          all.begin() + static_cast<std::ptrdiff_t>((word + 1) * kShapeFeatures)};
}

TEST(WordShape, PiecesOfOneWordBecomeOneWord) {
  const std::vector<tokenize::WordSpan> spans{{0, 5}, {0, 5}, {6, 7}};
  const auto words = group_words(spans);
  ASSERT_EQ(words.size(), 2u);
  EXPECT_EQ(words[0].piece_count, 2u);
  EXPECT_EQ(words[1].first_piece, 2u);
}

TEST(WordShape, LetterCaseTellsWordsApartThatTheBaseTakesForOne) {
  EXPECT_NE(of_word("we Mark it", 1), of_word("we mark it", 1));
  EXPECT_NE(of_word("we MARK it", 1), of_word("we Mark it", 1));
  EXPECT_NE(of_word("we Öl it", 1), of_word("we öl it", 1));
}

TEST(WordShape, ALineBreakBeforeAWordShows) {
  EXPECT_NE(of_word("a bee\nsea", 2), of_word("a bee sea", 2));
}

TEST(WordShape, EveryWordHasExactlyOneKind) {
  const std::string text =
      "a B Cc DD eE 中 1 12 123 1234 12345 123456 a1 . , : ; ' \" - / @ ( ) # &";
  const auto all = features(text);
  for (std::size_t w = 0; w < all.size() / kShapeFeatures; ++w) {
    float kinds = 0;
    for (std::size_t k = 0; k < kWordKinds; ++k) kinds += all[w * kShapeFeatures + k];
    EXPECT_EQ(kinds, 1) << "word " << w;
  }
}

TEST(WordShape, NoWordsAreNoFeatures) { EXPECT_TRUE(features("").empty()); }

}  // namespace
}  // namespace signalbox::encoder
