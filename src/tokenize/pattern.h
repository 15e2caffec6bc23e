// The regular expressions that tokenizer files split text with. They need a negative look-ahead, which
// RE2 lacks, and little else, so this is a small backtracking matcher over code points: alternatives,
// groups, look-aheads, sets with \p{..}, and counted repeats of one character. A search may take only so
// many steps a byte; what is left then counts as one part without a match, so that no text can stall it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace signalbox::tokenize {

// A set of code points: what one character of a pattern may be.
class CharacterSet {
 public:
  void add_range(std::uint32_t first, std::uint32_t last) { ranges_.push_back({first, last}); }
  // Bit c stands for utf8proc's general category c.
  void add_categories(std::uint32_t mask) { categories_ |= mask; }
  void add_space() { space_ = true; }
  void add_not_space() { not_space_ = true; }
  void add(const CharacterSet& other);
  void negate() { negated_ = !negated_; }
  void ignore_case() { ignore_case_ = true; }
  // Call once after the last change; contains() is valid from then on.
  void finish();
  bool contains(std::uint32_t point) const {
    return point < 128 ? (ascii_[point / 64] >> (point % 64) & 1) != 0 : evaluate(point);
  }
  bool negated() const { return negated_; }

 private:
  struct Range {
    std::uint32_t first, last;
  };
  bool evaluate(std::uint32_t point) const;
  bool holds(std::uint32_t point) const;

  std::vector<Range> ranges_;
  std::uint32_t categories_ = 0;
  bool space_ = false, not_space_ = false, negated_ = false, ignore_case_ = false;
  std::array<std::uint64_t, 2> ascii_{};
};

// Unicode's White_Space.
bool is_space(std::uint32_t point);

class Pattern {
 public:
  struct Part {
    std::size_t begin = 0, end = 0;  // bytes
    bool matched = false;
  };

  // Errors: kUnsupported (a construct that is not known; the message names it), kCorrupt (does not
  // parse, or is too long).
  static Result<Pattern> compile(std::string_view expression);
  static Pattern literal(std::string_view text);

  // Cuts UTF-8 text into matches (leftmost, first alternative, never empty) and what lies between;
  // together they cover it. O(bytes).
  std::vector<Part> split(std::string_view text) const;

 private:
  friend class PatternParser;
  friend class PatternMatcher;
  enum class Kind : std::uint8_t { kSet, kBranch, kAhead, kNotAhead, kEnd };
  struct Node {
    Kind kind = Kind::kEnd;
    bool possessive = false;
    std::uint32_t set = 0, min = 1, max = 1;  // kSet
    std::uint32_t next = 0;
    std::vector<std::uint32_t> branches;  // kBranch; look-aheads hold one
  };
  std::vector<Part> split_literal(std::string_view text) const;

  std::string literal_;  // not empty: nothing else is used
  std::vector<CharacterSet> sets_;
  std::vector<Node> nodes_;
  std::uint32_t start_ = 0;
};

}  // namespace signalbox::tokenize
