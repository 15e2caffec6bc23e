// A subword model: parts of a text to ids. The "model" of a tokenizer file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "json/document.h"

namespace signalbox::tokenize {

// A token of a part; bytes [begin, end) of it. Of a character that was spelt out in bytes each token has
// some of the bytes.
struct Subword {
  std::int32_t id = 0;
  std::uint32_t begin = 0;
  std::uint32_t end = 0;
};

// Memory of one call, kept over its parts.
struct SubwordScratch {
  struct Symbol {
    std::int32_t id = 0;
    std::int32_t previous = -1, next = -1;  // neighbours, or -1
    std::uint32_t begin = 0, end = 0;       // empty: merged into the one before
  };
  struct Candidate {
    std::uint32_t rank = 0;
    std::uint32_t at = 0;  // left symbol
    std::int32_t id = 0;   // of the two together
  };
  std::vector<Symbol> symbols;
  std::vector<Candidate> heap;
};

class SubwordModel {
 public:
  virtual ~SubwordModel() = default;
  // Appends the tokens of a part, which is UTF-8 of at most 4 GiB. At most one token a byte.
  virtual void cut(std::string_view part, SubwordScratch& scratch,
                   std::vector<Subword>& out) const = 0;
  // One more than the greatest id.
  virtual std::int32_t size() const = 0;
};

// From the value of "model". `byte_level`: pieces are written in GPT-2's alphabet of bytes. Errors:
// kCorrupt, kUnsupported (names what).
Result<std::unique_ptr<const SubwordModel>> read_bpe(json::Value model, bool byte_level);
Result<std::unique_ptr<const SubwordModel>> read_unigram(json::Value model);

}  // namespace signalbox::tokenize
