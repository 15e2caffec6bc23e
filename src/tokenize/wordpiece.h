// BERT's tokenizer: clean, split, lower-case, strip accents, then cut each word into the longest
// pieces of the vocabulary (Wu et al. 2016 as BERT uses it). Gives the ids that the reference
// library gives (wordpiece_golden_test.cc). Immutable after load, shared by all threads. Cost:
// about 7 ns a byte of English.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "tokenize/vocabulary.h"

namespace signalbox::tokenize {

struct WordPieceOptions {
  bool lower_case = true;        // and strip accents, as the uncased models do
  bool split_ideographs = true;  // each CJK ideograph is a word
};

// Where the word of a piece stands in the text: bytes, end exclusive. A word ends at white space and
// at punctuation; each punctuation mark and ideograph is a word of its own.
struct WordSpan {
  std::size_t begin = 0;
  std::size_t end = 0;
  bool operator==(const WordSpan&) const = default;
};

class WordPiece {
 public:
  // From a model directory: vocab.txt, or the vocabulary of tokenizer.json; options from
  // tokenizer_config.json when it is there. Errors: kIo (neither file), kCorrupt, kUnsupported
  // (tokenizer.json of another kind).
  static Result<WordPiece> load(const std::string& directory);
  // Errors: kCorrupt (vocabulary empty, or [UNK], [CLS], [SEP] missing).
  static Result<WordPiece> create(Vocabulary vocabulary, WordPieceOptions options);

  // Appends the ids of a text, without [CLS] and [SEP]. Any bytes; invalid UTF-8 is dropped like
  // U+FFFD. Special tokens written out in the text ("[SEP]") become their ids, as in the reference.
  // At most one id per byte. `words`, when given, must be as long as `ids` and gets one span per id.
  void tokenize(std::string_view text, std::vector<std::int32_t>& ids,
                std::vector<WordSpan>* words = nullptr) const;

  int cls() const { return cls_; }
  int sep() const { return sep_; }
  int unknown() const { return unknown_; }
  int size() const { return vocabulary_.size(); }

 private:
  friend class Scanner;
  struct Special {
    std::string text;
    int id;
  };
  WordPiece() = default;
  // Appends the pieces of one normalised word of `characters` code points.
  void cut(std::string_view word, std::vector<std::int32_t>& ids) const;

  Vocabulary vocabulary_;
  WordPieceOptions options_;
  std::vector<Special> specials_;
  int cls_ = 0;
  int sep_ = 0;
  int unknown_ = 0;
};

}  // namespace signalbox::tokenize
