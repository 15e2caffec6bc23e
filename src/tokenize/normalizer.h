// What a tokenizer does to a text before it is split: the steps of a tokenizer file's "normalizer".
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"
#include "json/document.h"
#include "tokenize/pattern.h"
#include "tokenize/traced_text.h"

namespace signalbox::tokenize {

class Normalizer {
 public:
  // Changes nothing.
  Normalizer() = default;
  // From the value of "normalizer"; null is none. Errors: kCorrupt, kUnsupported (names the step).
  static Result<Normalizer> parse(json::Value value);

  // O(bytes log bytes), for any text.
  TracedText apply(TracedText text) const;
  bool empty() const { return steps_.empty(); }

 private:
  enum class Kind : std::uint8_t {
    kNfc,
    kNfd,
    kNfkc,
    kNfkd,
    kLowercase,
    kStripAccents,
    kStrip,
    kPrepend,
    kReplace
  };
  struct Step {
    Kind kind = Kind::kNfc;
    bool left = false, right = false;  // kStrip
    std::string content;               // kPrepend, kReplace
    Pattern pattern;                   // kReplace
  };
  Result<void> add(json::Value value, std::size_t depth);
  Result<void> add_replace(json::Value value);
  Result<void> add_strip(json::Value value);
  static TracedText run(const Step& step, TracedText text);

  std::vector<Step> steps_;
};

}  // namespace signalbox::tokenize
