// From the windows of one text to its personal data: feeds the token head word by word, takes each
// word's verdict from the window that shows most around it, and puts rules on top.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "encoder/bert.h"
#include "encoder/token_head.h"
#include "encoder/windows.h"
#include "encoder/word_shape.h"
#include "pii/entity.h"

namespace signalbox::encoder {

class EntityReader {
 public:
  // `spans` has one entry per piece of the text; text and head outlive the reader.
  EntityReader(std::string_view text, std::span<const tokenize::WordSpan> spans,
               const TokenHead& head, std::size_t hidden);

  // After a pass over a window of pieces with [CLS] in front: scratch.kept holds head.states().
  void add(const Window& window, const BertScratch& scratch);

  // What the head found in the words of all windows, in text order and without overlaps.
  std::vector<pii::Entity> entities() const;

 private:
  std::vector<float> inputs(std::size_t first, std::size_t last, const Window& window,
                            const BertScratch& scratch) const;
  pii::Entity entity_of(const TaggedRun& run, pii::Type type) const;

  std::string_view text_;
  const TokenHead& head_;
  std::size_t hidden_;
  std::vector<Word> words_;
  std::vector<float> shapes_;         // [words][kShapeFeatures]
  std::vector<float> probabilities_;  // [words][labels]
  std::vector<int> margins_;          // pieces between a word and its window's edge; -1: unseen
};

// What rules find in a text, which needs no pass and no head; reads up to
// limits::kIdentifierBytesMax.
std::vector<pii::Entity> identifiers_of(std::string_view text);

}  // namespace signalbox::encoder
