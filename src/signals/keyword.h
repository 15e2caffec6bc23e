// Signal "keyword": does the last user message hold any, all or none of a rule's keywords? All literal keywords of all
// rules are found in one scan; /.../ keywords are regular expressions in one RE2 set. Whole words, see words.h.
// The methods bm25, ngram and fuzzy are looked up as whole words too; see Keywords::approximated().
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "config/model.h"
#include "signals/inputs.h"
#include "signals/literal_matcher.h"

namespace signalbox::signals {

class Keywords {
 public:
  Keywords();
  Keywords(Keywords&&) noexcept;
  Keywords& operator=(Keywords&&) noexcept;
  ~Keywords();
  // Errors: kConfig naming the rule (no keywords, empty or too long keyword, bad pattern), kUnsupported.
  static Result<Keywords> compile(std::span<const config::KeywordRule> rules);

  // Fills the wanted values; stops scanning as soon as all of them are decided. Values become kFailed if the scan fails.
  void evaluate(std::span<const Wanted> wanted, std::string_view text, Scratch& scratch) const;

  const LiteralMatcher& matcher() const { return matcher_; }
  // Names of rules whose method is only approximated.
  std::span<const std::string> approximated() const { return approximated_; }

 private:
  struct Regexes;
  struct Rule {
    config::KeywordOperator op;
    std::uint32_t keyword_count = 0;  // distinct ones
  };
  class Scan;
  // Index of a keyword that may be shared by several rules.
  Result<std::uint32_t> add(const config::KeywordRule& rule, const std::string& keyword,
                            std::vector<Literal>& literals);

  std::vector<Rule> rules_;
  std::vector<std::vector<std::uint32_t>> users_;  // by keyword: rules that hold it
  std::vector<std::uint32_t> literal_keyword_;     // by literal: its keyword
  LiteralMatcher matcher_;
  std::unique_ptr<Regexes> regexes_;
  std::vector<std::string> approximated_;
};

}  // namespace signalbox::signals
