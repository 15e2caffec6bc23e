// Reading a regular expression into Pattern's nodes.
#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "base/limits.h"
#include "base/text.h"
#include "tokenize/pattern.h"
#include "tokenize/unicode.h"

namespace signalbox::tokenize {
namespace {

constexpr std::uint32_t kNoMaximum = std::numeric_limits<std::uint32_t>::max();
constexpr std::uint32_t kRepeatMax = 1000;

struct Property {
  std::string_view name;
  utf8proc_category_t first, last;
};
constexpr std::array kProperties{
    Property{"L", UTF8PROC_CATEGORY_LU, UTF8PROC_CATEGORY_LO},
    Property{"Lu", UTF8PROC_CATEGORY_LU, UTF8PROC_CATEGORY_LU},
    Property{"Ll", UTF8PROC_CATEGORY_LL, UTF8PROC_CATEGORY_LL},
    Property{"Lt", UTF8PROC_CATEGORY_LT, UTF8PROC_CATEGORY_LT},
    Property{"Lm", UTF8PROC_CATEGORY_LM, UTF8PROC_CATEGORY_LM},
    Property{"Lo", UTF8PROC_CATEGORY_LO, UTF8PROC_CATEGORY_LO},
    Property{"M", UTF8PROC_CATEGORY_MN, UTF8PROC_CATEGORY_ME},
    Property{"Mn", UTF8PROC_CATEGORY_MN, UTF8PROC_CATEGORY_MN},
    Property{"Mc", UTF8PROC_CATEGORY_MC, UTF8PROC_CATEGORY_MC},
    Property{"Me", UTF8PROC_CATEGORY_ME, UTF8PROC_CATEGORY_ME},
    Property{"N", UTF8PROC_CATEGORY_ND, UTF8PROC_CATEGORY_NO},
    Property{"Nd", UTF8PROC_CATEGORY_ND, UTF8PROC_CATEGORY_ND},
    Property{"Nl", UTF8PROC_CATEGORY_NL, UTF8PROC_CATEGORY_NL},
    Property{"No", UTF8PROC_CATEGORY_NO, UTF8PROC_CATEGORY_NO},
    Property{"P", UTF8PROC_CATEGORY_PC, UTF8PROC_CATEGORY_PO},
    Property{"Pc", UTF8PROC_CATEGORY_PC, UTF8PROC_CATEGORY_PC},
    Property{"S", UTF8PROC_CATEGORY_SM, UTF8PROC_CATEGORY_SO},
    Property{"Z", UTF8PROC_CATEGORY_ZS, UTF8PROC_CATEGORY_ZP},
    Property{"C", UTF8PROC_CATEGORY_CC, UTF8PROC_CATEGORY_CO},
};

constexpr std::uint32_t mask_of(utf8proc_category_t first, utf8proc_category_t last) {
  std::uint32_t mask = 0;
  for (int c = first; c <= last; ++c) mask |= std::uint32_t{1} << c;
  return mask;
}
// Of \w: letters, marks, decimal digits and connectors.
constexpr std::uint32_t kWordMask = mask_of(UTF8PROC_CATEGORY_LU, UTF8PROC_CATEGORY_ME) |
                                    mask_of(UTF8PROC_CATEGORY_ND, UTF8PROC_CATEGORY_ND) |
                                    mask_of(UTF8PROC_CATEGORY_PC, UTF8PROC_CATEGORY_PC);
constexpr std::uint32_t kDigitMask = mask_of(UTF8PROC_CATEGORY_ND, UTF8PROC_CATEGORY_ND);
constexpr std::uint32_t kUnassignedMask = 1;  // category 0
constexpr std::uint32_t kAllMask =
    mask_of(UTF8PROC_CATEGORY_LU, UTF8PROC_CATEGORY_CO) | kUnassignedMask;

}  // namespace

// Recursive descent; a sequence is linked to what follows it once it is read whole.
class PatternParser {
 public:
  explicit PatternParser(std::string_view text) : text_(text) {}

  Result<Pattern> parse() {
    pattern_.nodes_.push_back({});  // node 0 ends the match
    SBX_TRY(const Alternatives all, alternatives(0));
    if (at_ != text_.size()) return damaged("an unmatched ')'");
    pattern_.start_ = link(all, 0);
    if (pattern_.nodes_.size() > limits::kPatternNodesMax) return damaged("too long");
    for (CharacterSet& set : pattern_.sets_) set.finish();
    return std::move(pattern_);
  }

 private:
  struct Item;
  using Sequence = std::vector<Item>;
  using Alternatives = std::vector<Sequence>;
  struct Item {
    Pattern::Kind kind = Pattern::Kind::kSet;
    bool possessive = false, optional = false;
    std::uint32_t set = 0, min = 1, max = 1;
    Alternatives inner;  // of groups
  };

  std::unexpected<Error> damaged(std::string_view what) const {
    return fail(Code::kCorrupt, "regular expression: " + std::string(what));
  }
  std::unexpected<Error> unknown(std::string_view what) const {
    return fail(Code::kUnsupported,
                "regular expression: " + std::string(what) + " is not supported");
  }
  bool accept(std::string_view token) {
    if (!text_.substr(at_).starts_with(token)) return false;
    at_ += token.size();
    return true;
  }
  std::uint32_t take() {
    const Decoded decoded = decode_utf8(text_.substr(at_));
    at_ += decoded.bytes;
    return decoded.point;
  }

  Result<Alternatives> alternatives(std::size_t depth) {
    if (depth > limits::kPatternDepthMax) return damaged("nested too deeply");
    Alternatives all(1);
    while (at_ < text_.size() && text_[at_] != ')') {
      if (accept("|")) {
        all.emplace_back();
        continue;
      }
      SBX_TRY(Item read, item(depth));
      SBX_CHECK_OK(quantifier(read));
      all.back().push_back(std::move(read));
    }
    return all;
  }

  Result<Item> item(std::size_t depth) {
    if (accept("(")) return group(depth);
    CharacterSet set;
    if (accept("[")) {
      SBX_CHECK_OK(bracket(set));
    } else if (accept(".")) {
      set.add_range('\n', '\n');
      set.negate();
    } else if (accept("\\")) {
      SBX_CHECK_OK(escape(set));
    } else if (accept("^") || accept("$")) {
      return unknown("an anchor");
    } else if (accept("*") || accept("+") || accept("?") || accept("{")) {
      return damaged("a repeat of nothing");
    } else {
      const std::uint32_t point = take();
      set.add_range(point, point);
    }
    if (ignore_case_) set.ignore_case();
    Item made;
    made.set = static_cast<std::uint32_t>(pattern_.sets_.size());
    pattern_.sets_.push_back(std::move(set));
    return made;
  }

  Result<Item> group(std::size_t depth) {
    Item made;
    made.kind = Pattern::Kind::kBranch;
    const bool outer_case = ignore_case_;
    if (accept("?i:")) {
      ignore_case_ = true;
    } else if (accept("?!")) {
      made.kind = Pattern::Kind::kNotAhead;
    } else if (accept("?=")) {
      made.kind = Pattern::Kind::kAhead;
    } else if (!accept("?:") && text_.substr(at_).starts_with("?")) {
      return unknown("a group of this kind");
    }
    SBX_TRY(made.inner, alternatives(depth + 1));
    ignore_case_ = outer_case;
    if (!accept(")")) return damaged("an unmatched '('");
    return made;
  }

  Result<void> quantifier(Item& read) {
    std::uint32_t min = 1, max = 1;
    if (accept("?")) {
      min = 0;
    } else if (accept("*")) {
      min = 0;
      max = kNoMaximum;
    } else if (accept("+")) {
      max = kNoMaximum;
    } else if (accept("{")) {
      SBX_CHECK_OK(counts(min, max));
    } else {
      return {};
    }
    if (accept("?")) return unknown("a lazy repeat");
    read.possessive = accept("+");
    if (read.kind == Pattern::Kind::kSet) {
      read.min = min;
      read.max = max;
      return {};
    }
    if (read.kind != Pattern::Kind::kBranch || min != 0 || max != 1 || read.possessive)
      return unknown("a repeated group");
    read.optional = true;
    return {};
  }

  // "2}", "2,}" or "2,3}"; the brace is read.
  Result<void> counts(std::uint32_t& min, std::uint32_t& max) {
    const std::size_t close = text_.find('}', at_);
    if (close == std::string_view::npos) return damaged("an unmatched '{'");
    const std::string_view inside = text_.substr(at_, close - at_);
    at_ = close + 1;
    const std::size_t comma = inside.find(',');
    const auto low = parse_uint(inside.substr(0, comma));
    if (!low || *low > kRepeatMax) return damaged("a bad repeat");
    min = max = static_cast<std::uint32_t>(*low);
    if (comma == std::string_view::npos) return {};
    max = kNoMaximum;
    if (comma + 1 == inside.size()) return {};
    const auto high = parse_uint(inside.substr(comma + 1));
    if (!high || *high > kRepeatMax || *high < *low) return damaged("a bad repeat");
    max = static_cast<std::uint32_t>(*high);
    return {};
  }

  // After "[".
  Result<void> bracket(CharacterSet& set) {
    const bool negated = accept("^");
    for (bool first = true; first || !text_.substr(at_).starts_with("]"); first = false) {
      if (at_ >= text_.size()) return damaged("an unmatched '['");
      if (text_.substr(at_).starts_with("&&") || text_[at_] == '[') return unknown("a nested set");
      if (accept("\\")) {
        CharacterSet escaped;
        const auto single = escape_point(escaped);
        if (!single) return std::unexpected(single.error());
        if (*single == kReplacement) {
          if (escaped.negated()) return unknown("this set inside a set");
          set.add(escaped);
          continue;
        }
        SBX_CHECK_OK(range_from(*single, set));
        continue;
      }
      SBX_CHECK_OK(range_from(take(), set));
    }
    at_ += 1;
    if (negated) set.negate();
    return {};
  }

  // A character of a bracket, or the range that it begins.
  Result<void> range_from(std::uint32_t first, CharacterSet& set) {
    const std::string_view rest = text_.substr(at_);
    if (!rest.starts_with("-") || rest.starts_with("-]")) {
      set.add_range(first, first);
      return {};
    }
    at_ += 1;
    if (at_ >= text_.size()) return damaged("an unmatched '['");
    std::uint32_t last = 0;
    if (accept("\\")) {
      CharacterSet ignored;
      SBX_TRY(last, escape_point(ignored));
      if (last == kReplacement) return damaged("a range without an end");
    } else {
      last = take();
    }
    if (last < first) return damaged("a range backwards");
    set.add_range(first, last);
    return {};
  }

  Result<void> escape(CharacterSet& set) {
    SBX_TRY(const std::uint32_t point, escape_point(set));
    if (point != kReplacement) set.add_range(point, point);
    return {};
  }

  // After a backslash: the one character it stands for, or kReplacement when it is a class, which is
  // added to `set`.
  Result<std::uint32_t> escape_point(CharacterSet& set) {
    if (at_ >= text_.size()) return damaged("a backslash at the end");
    const std::uint32_t letter = take();
    switch (letter) {
      case 's':
        set.add_space();
        return kReplacement;
      case 'S':
        set.add_not_space();
        return kReplacement;
      case 'd':
        set.add_categories(kDigitMask);
        return kReplacement;
      case 'w':
        set.add_categories(kWordMask);
        return kReplacement;
      case 'W':
        set.add_categories(kAllMask & ~kWordMask);
        return kReplacement;
      case 'p':
      case 'P':
        SBX_CHECK_OK(property(letter == 'P', set));
        return kReplacement;
      case 'n':
        return '\n';
      case 'r':
        return '\r';
      case 't':
        return '\t';
      case 'f':
        return '\f';
      case 'v':
        return '\v';
      default:
        break;
    }
    const bool word = letter >= 0x80 || (letter >= '0' && letter <= '9') ||
                      (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z');
    if (word) return unknown("\\" + std::string(1, static_cast<char>(letter & 0x7F)));
    return letter;
  }

  Result<void> property(bool negated, CharacterSet& set) {
    if (!accept("{")) return damaged("\\p without braces");
    const std::size_t close = text_.find('}', at_);
    if (close == std::string_view::npos) return damaged("an unmatched '{'");
    const std::string_view name = text_.substr(at_, close - at_);
    at_ = close + 1;
    const auto* known = std::ranges::find(kProperties, name, &Property::name);
    if (known == kProperties.end()) return unknown("\\p{" + std::string(name) + "}");
    std::uint32_t mask = mask_of(known->first, known->last);
    if (name == "C") mask |= kUnassignedMask;
    set.add_categories(negated ? kAllMask & ~mask : mask);
    return {};
  }

  std::uint32_t add(Pattern::Node node) {
    pattern_.nodes_.push_back(std::move(node));
    return static_cast<std::uint32_t>(pattern_.nodes_.size() - 1);
  }

  // Nodes of the alternatives, each going on to `next`; returns the first.
  std::uint32_t link(const Alternatives& all, std::uint32_t next) {
    if (all.size() == 1) return link(all.front(), next);
    Pattern::Node node;
    node.kind = Pattern::Kind::kBranch;
    for (const Sequence& sequence : all) node.branches.push_back(link(sequence, next));
    return add(std::move(node));
  }

  std::uint32_t link(const Sequence& sequence, std::uint32_t next) {
    for (auto read = sequence.rbegin(); read != sequence.rend(); ++read) {
      Pattern::Node node;
      node.kind = read->kind;
      node.possessive = read->possessive;
      node.set = read->set;
      node.min = read->min;
      node.max = read->max;
      node.next = next;
      if (read->kind == Pattern::Kind::kBranch) {
        node.branches.push_back(link(read->inner, next));
        if (read->optional) node.branches.push_back(next);
      } else if (read->kind != Pattern::Kind::kSet) {
        node.branches.push_back(link(read->inner, 0));
      }
      next = add(std::move(node));
    }
    return next;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  bool ignore_case_ = false;
  Pattern pattern_;
};

Result<Pattern> Pattern::compile(std::string_view expression) {
  if (expression.empty() || expression.size() > limits::kPatternBytesMax)
    return fail(Code::kCorrupt, "regular expression: empty or too long");
  return PatternParser(expression).parse();
}

}  // namespace signalbox::tokenize
