// Labels of tokens to spans of text: "B-PERSON", "I-PERSON", .. become one PERSON.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tokenize/wordpiece.h"

namespace signalbox::encoder {

// A stretch of the text with one label.
struct Entity {
  std::string label;               // without "B-" and "I-"
  std::size_t begin = 0, end = 0;  // bytes
  float confidence = 0;            // mean probability over its tokens, 0..1
  bool operator==(const Entity&) const = default;
};

// What a model said of one token.
struct TokenLabel {
  int label = 0;  // index into the labels
  float probability = 0;
};

// `labels` in BIO form; labels without a prefix mark a token as part of an entity too; "O", "NO_PII" and
// "LABEL_0" mark none. A token in the middle of a word continues what the word began. White space at the
// ends of an entity is cut off.
std::vector<Entity> merge_entities(std::string_view text, std::span<const tokenize::WordSpan> spans,
                                   std::span<const TokenLabel> tokens,
                                   std::span<const std::string> labels);

}  // namespace signalbox::encoder
