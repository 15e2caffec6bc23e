// Text to the token ids that a model was trained on. One interface for all kinds of tokenizers; immutable
// after load and shared by all threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "tokenize/wordpiece.h"

namespace signalbox::tokenize {

// What a model wants around a sequence, such as [CLS] and [SEP]; either may be empty.
struct Frame {
  std::vector<std::int32_t> before;
  std::vector<std::int32_t> after;
};

// Where an added token begins that was cut out of a text before anything else happened. The ids of what stands before it do
// not depend on what follows, but for a longer token that might have begun in the last lookahead() bytes.
struct Mark {
  std::size_t text_begin = 0;  // bytes
  std::size_t ids_before = 0;
  bool operator==(const Mark&) const = default;
};

class Tokenizer {
 public:
  virtual ~Tokenizer() = default;
  // Appends the ids of a text, without its frame. Any bytes; what is not UTF-8 counts as U+FFFD. `spans`,
  // when given, must be as long as `ids` and gets one span of the text per id: that of the characters the
  // token stems from (WordPiece: of their word). At most a few ids a byte.
  virtual void tokenize(std::string_view text, std::vector<std::int32_t>& ids,
                        std::vector<WordSpan>* spans = nullptr) const = 0;
  // Ids are 0 .. size() - 1.
  virtual std::int32_t size() const = 0;
  // tokenize() that also appends the marks of the text, in order. A text may be cut at a mark and both pieces tokenised
  // alone; kinds without such tokens have no marks.
  virtual void tokenize_marked(std::string_view text, std::vector<std::int32_t>& ids,
                               std::vector<Mark>& marks) const {
    static_cast<void>(marks);
    tokenize(text, ids);
  }
  virtual std::size_t lookahead() const { return 0; }
  const Frame& frame() const { return frame_; }

 protected:
  explicit Tokenizer(Frame frame) : frame_(std::move(frame)) {}

 private:
  Frame frame_;
};

// The tokenizer of a model directory: tokenizer.json (byte-level BPE, SentencePiece's BPE and unigram,
// WordPiece), or a WordPiece vocab.txt. Gives the ids of the reference library (PyPI `tokenizers`). Errors:
// kIo (neither file), kCorrupt (damaged or hostile file), kUnsupported (names what is not supported).
// Cost: 0.2 s for 150,000 pieces.
Result<std::unique_ptr<const Tokenizer>> load_tokenizer(const std::string& directory);

// From the text of a tokenizer.json that is not WordPiece. Errors as above.
Result<std::unique_ptr<const Tokenizer>> parse_tokenizer(std::string_view tokenizer_json);

}  // namespace signalbox::tokenize
