// How a normalised text is cut into the parts that the subword model sees one by one: the steps of a
// tokenizer file's "pre_tokenizer".
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"
#include "json/document.h"
#include "tokenize/pattern.h"
#include "tokenize/traced_text.h"

namespace signalbox::tokenize {

// Bytes [begin, end) of the normalised text; never empty.
struct Range {
  std::size_t begin = 0;
  std::size_t end = 0;
};

class PreTokenizer {
 public:
  // The whole text is one part.
  PreTokenizer() = default;
  // From the value of "pre_tokenizer"; null is none. Errors: kCorrupt, kUnsupported (names the step).
  static Result<PreTokenizer> parse(json::Value value);

  // Cuts `text`, which steps may also change. `first`: it stands at the beginning of what the caller
  // handed in.
  std::vector<Range> apply(TracedText& text, bool first) const;
  // The model's alphabet is bytes, not characters.
  bool byte_level() const { return byte_level_; }

 private:
  enum class Kind : std::uint8_t { kSplit, kMetaspace, kPrefixSpace };
  enum class Behaviour : std::uint8_t {
    kRemoved,
    kIsolated,
    kMergedWithPrevious,
    kMergedWithNext,
    kContiguous
  };
  enum class Scheme : std::uint8_t { kAlways, kFirst, kNever };
  struct Step {
    Kind kind = Kind::kSplit;
    Pattern pattern;
    Behaviour behaviour = Behaviour::kIsolated;
    bool invert = false;
    std::string mark;  // kMetaspace: what stands for a space
    Scheme scheme = Scheme::kAlways;
  };
  Result<void> add(json::Value value, std::size_t depth);
  Result<void> add_split(json::Value value);
  Result<void> add_byte_level(json::Value value);
  Result<void> add_metaspace(json::Value value);
  Result<void> add_pattern(std::string_view expression, Behaviour behaviour, bool invert = false);
  static Result<Behaviour> behaviour_of(const std::string& name);
  static void split(const Step& step, const TracedText& text, const Range& range,
                    std::vector<Range>& out);
  static void prefix(const Step& step, TracedText& text, bool first, std::vector<Range>& ranges);

  std::vector<Step> steps_;
  bool byte_level_ = false;
};

}  // namespace signalbox::tokenize
