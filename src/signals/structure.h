// Signal "structure": a number taken from the text (occurrences of a pattern or of keywords, their density per text unit,
// an order of markers, the size) and a predicate on it. Without a predicate anything above 0 matches; a text of nothing
// but white space never matches. Density divides by text_units() (words.h).
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "config/model.h"
#include "signals/inputs.h"
#include "signals/literal_matcher.h"

namespace re2 {
class RE2;
}

namespace signalbox::signals {

class Structures {
 public:
  Structures();
  Structures(Structures&&) noexcept;
  Structures& operator=(Structures&&) noexcept;
  ~Structures();
  // Errors: kConfig naming the rule (unknown feature or source, no pattern, no keywords, bad pattern).
  static Result<Structures> compile(std::span<const config::StructureRule> rules);

  Result<void> prepare(Scratch& scratch) const;
  // Regular expressions count at most limits::kStructureMatchesMax occurrences in the first
  // limits::kStructureBytesMax bytes; everything else reads the whole text.
  exchange::SignalValue evaluate(std::uint32_t rule, std::string_view text, Scratch& scratch) const;

 private:
  enum class Source { kRegex, kKeywords, kSequence, kTextBytes };
  enum class Feature { kCount, kExists, kDensity };
  struct Rule;
  static Result<Rule> compile_one(const config::StructureRule& rule);
  // Occurrences of the rule's source; nothing when the scan failed.
  static std::optional<double> count(const Rule& rule, std::string_view text, Scratch& scratch);
  std::vector<Rule> rules_;
};

}  // namespace signalbox::signals
