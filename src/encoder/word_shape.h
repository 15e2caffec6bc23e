// What the uncased base no longer sees of a word: its letter case, digits, punctuation and layout.
// The token head reads these features beside the hidden states.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "tokenize/wordpiece.h"

namespace signalbox::encoder {

// A run of pieces of one word.
struct Word {
  std::size_t begin = 0, end = 0;                // bytes of the text
  std::size_t first_piece = 0, piece_count = 0;  // in the ids of the text
};

// `spans` has one entry per piece, as WordPiece::tokenize gives them. O(pieces).
std::vector<Word> group_words(std::span<const tokenize::WordSpan> spans);

// Order of the features of one word; changing it needs new training (train/pii.py reads the count).
inline constexpr std::size_t kWordKinds = 26;
inline constexpr std::size_t kShapeFeatures = kWordKinds + 14;

// Writes kShapeFeatures floats, each 0 or 1, for every word: [words][kShapeFeatures]. Words lie
// inside `text` in ascending order. O(bytes).
void shape_features(std::string_view text, std::span<const Word> words, float* out);

}  // namespace signalbox::encoder
