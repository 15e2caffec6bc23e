#include "tokenize/pattern.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "base/limits.h"
#include "tokenize/unicode.h"

namespace signalbox::tokenize {

// One search through one text.
class PatternMatcher {
 public:
  PatternMatcher(const Pattern& pattern, std::string_view text)
      : pattern_(pattern),
        text_(text),
        steps_((text.size() + 1) * limits::kPatternStepsPerByteMax) {}

  std::optional<std::size_t> match_at(std::size_t at) { return run(pattern_.start_, at); }
  bool exhausted() const { return steps_ == 0; }

 private:
  bool spend() {
    if (steps_ > 0) --steps_;
    return steps_ > 0;
  }

  // Where the match of node and all that follows it ends. Recursion is no deeper than the pattern long.
  std::optional<std::size_t> run(std::uint32_t index, std::size_t at) {
    if (!spend()) return std::nullopt;
    const Pattern::Node& node = pattern_.nodes_[index];
    switch (node.kind) {
      case Pattern::Kind::kEnd:
        return at;
      case Pattern::Kind::kSet:
        return run_set(node, at);
      case Pattern::Kind::kBranch:
        for (const std::uint32_t branch : node.branches) {
          if (const auto end = run(branch, at)) return end;
        }
        return std::nullopt;
      case Pattern::Kind::kAhead:
      case Pattern::Kind::kNotAhead:
        if (run(node.branches.front(), at).has_value() != (node.kind == Pattern::Kind::kAhead))
          return std::nullopt;
        return run(node.next, at);
    }
    return std::nullopt;
  }

  std::optional<std::size_t> run_set(const Pattern::Node& node, std::size_t at) {
    const CharacterSet& set = pattern_.sets_[node.set];
    std::size_t end = at;
    std::uint32_t count = 0;
    while (count < node.max && end < text_.size() && spend()) {
      const Decoded decoded = decode_utf8(text_.substr(end));
      if (!set.contains(decoded.point)) break;
      end += decoded.bytes;
      ++count;
    }
    if (count < node.min) return std::nullopt;
    if (node.possessive) return run(node.next, end);
    while (true) {
      if (const auto found = run(node.next, end)) return found;
      if (count == node.min || exhausted()) return std::nullopt;
      --count;
      do {
        --end;
      } while ((static_cast<unsigned char>(text_[end]) & 0xC0) == 0x80 && end > at);
    }
  }

  const Pattern& pattern_;
  std::string_view text_;
  std::size_t steps_;
};

Pattern Pattern::literal(std::string_view text) {
  Pattern pattern;
  pattern.literal_ = text;
  return pattern;
}

std::vector<Pattern::Part> Pattern::split_literal(std::string_view text) const {
  std::vector<Part> parts;
  std::size_t begin = 0;
  for (std::size_t at = text.find(literal_); at != std::string_view::npos;
       at = text.find(literal_, begin)) {
    if (at > begin) parts.push_back({begin, at, false});
    begin = at + literal_.size();
    parts.push_back({at, begin, true});
  }
  if (begin < text.size()) parts.push_back({begin, text.size(), false});
  return parts;
}

std::vector<Pattern::Part> Pattern::split(std::string_view text) const {
  if (!literal_.empty()) return split_literal(text);
  std::vector<Part> parts;
  PatternMatcher matcher(*this, text);
  std::size_t begin = 0;  // of what did not match so far
  for (std::size_t at = 0; at < text.size() && !matcher.exhausted();) {
    const auto end = matcher.match_at(at);
    if (!end || *end == at) {
      at += decode_utf8(text.substr(at)).bytes;
      continue;
    }
    if (at > begin) parts.push_back({begin, at, false});
    parts.push_back({at, *end, true});
    begin = at = *end;
  }
  if (begin < text.size()) parts.push_back({begin, text.size(), false});
  return parts;
}

}  // namespace signalbox::tokenize
