#include "signals/structure.h"

#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/limits.h"
#include "base/text.h"
#include "signals/regex.h"
#include "signals/words.h"
#include "tokenize/unicode.h"

namespace signalbox::signals {
namespace {

bool has_bound(const config::NumericPredicate& predicate) {
  return predicate.gt || predicate.gte || predicate.lt || predicate.lte;
}

// Counting further than this cannot change the verdict.
std::size_t count_that_decides(const config::NumericPredicate& predicate) {
  double largest = 0;
  for (const auto& bound : {predicate.gt, predicate.gte, predicate.lt, predicate.lte}) {
    if (bound) largest = std::max(largest, *bound);
  }
  if (!(largest < static_cast<double>(limits::kStructureMatchesMax)))
    return limits::kStructureMatchesMax;
  return static_cast<std::size_t>(std::ceil(largest)) + 1;
}

class Counter final : public LiteralMatcher::Sink {
 public:
  bool found(std::uint32_t, std::size_t, std::size_t) override {
    ++count;
    return true;
  }
  std::size_t count = 0;
};

// One step of one sequence: marker number `step` of sequence `sequence`.
struct Marker {
  std::uint32_t sequence;
  std::uint32_t step;
};

// Matches arrive ordered by their end, so taking each marker as early as possible finds an order if there is one.
class Sequences final : public LiteralMatcher::Sink {
 public:
  Sequences(std::span<const Marker> markers, std::span<const std::uint32_t> lengths)
      : markers_(markers), lengths_(lengths), progress_(lengths.size()) {}
  bool found(std::uint32_t literal, std::size_t begin, std::size_t end) override {
    const Marker& marker = markers_[literal];
    Progress& progress = progress_[marker.sequence];
    if (marker.step != progress.step || begin < progress.end) return true;
    progress = {progress.step + 1, end};
    complete = complete || progress.step == lengths_[marker.sequence];
    return !complete;
  }
  bool complete = false;

 private:
  struct Progress {
    std::uint32_t step = 0;
    std::size_t end = 0;
  };
  std::span<const Marker> markers_;
  std::span<const std::uint32_t> lengths_;
  std::vector<Progress> progress_;
};

}  // namespace

struct Structures::Rule {
  Source source = Source::kTextBytes;
  Feature feature = Feature::kCount;
  config::NumericPredicate predicate;
  std::unique_ptr<re2::RE2> regex;
  LiteralMatcher literals;
  std::vector<Marker> markers;         // by literal, of kSequence
  std::vector<std::uint32_t> lengths;  // markers of each sequence
};

Structures::Structures() = default;
Structures::Structures(Structures&&) noexcept = default;
Structures& Structures::operator=(Structures&&) noexcept = default;
Structures::~Structures() = default;

Result<Structures::Rule> Structures::compile_one(const config::StructureRule& rule) {
  const std::string what = fmt::format("structure rule '{}'", rule.name);
  Rule made{.predicate = rule.predicate};
  if (rule.feature_type == "exists" || rule.feature_type == "sequence") {
    made.feature = Feature::kExists;
  } else if (rule.feature_type == "density") {
    made.feature = Feature::kDensity;
  } else if (rule.feature_type != "count") {
    return fail(Code::kConfig,
                fmt::format("{}: unknown feature type '{}'", what, rule.feature_type));
  }
  std::vector<Literal> literals;
  if (rule.source_type == "sequence" || rule.feature_type == "sequence") {
    made.source = Source::kSequence;
    for (const auto& sequence : rule.sequences) {
      const auto number = static_cast<std::uint32_t>(made.lengths.size());
      made.lengths.push_back(static_cast<std::uint32_t>(sequence.size()));
      for (std::uint32_t step = 0; step < sequence.size(); ++step) {
        made.markers.push_back({number, step});
        literals.push_back({.text = sequence[step], .case_sensitive = rule.case_sensitive});
      }
    }
    if (literals.empty()) return fail(Code::kConfig, what + " has no sequences");
  } else if (rule.source_type == "regex") {
    made.source = Source::kRegex;
    if (rule.pattern.empty()) return fail(Code::kConfig, what + " has no pattern");
    SBX_TRY(made.regex, compile_regex(rule.pattern, rule.case_sensitive, what));
  } else if (rule.source_type == "keyword_set") {
    made.source = Source::kKeywords;
    for (const std::string& keyword : rule.keywords) {
      literals.push_back({.text = keyword, .case_sensitive = rule.case_sensitive});
    }
    if (literals.empty()) return fail(Code::kConfig, what + " has no keywords");
  } else if (rule.source_type != "text_bytes") {
    return fail(Code::kConfig, fmt::format("{}: unknown source type '{}'", what, rule.source_type));
  }
  auto matcher = LiteralMatcher::compile(std::move(literals));
  if (!matcher) return fail(matcher.error().code, what + ": " + matcher.error().message);
  made.literals = *std::move(matcher);
  return made;
}

Result<Structures> Structures::compile(std::span<const config::StructureRule> rules) {
  Structures made;
  for (const config::StructureRule& rule : rules) {
    SBX_TRY(auto compiled, compile_one(rule));
    made.rules_.push_back(std::move(compiled));
  }
  return made;
}

Result<void> Structures::prepare(Scratch& scratch) const {
  for (const Rule& rule : rules_) SBX_CHECK_OK(scratch.prepare(rule.literals));
  return {};
}

std::optional<double> Structures::count(const Rule& rule, std::string_view text, Scratch& scratch) {
  switch (rule.source) {
    case Source::kTextBytes:
      return static_cast<double>(text.size());
    case Source::kRegex: {
      if (rule.feature == Feature::kExists) {
        return re2::RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), *rule.regex) ? 1
                                                                                               : 0;
      }
      const bool density = rule.feature == Feature::kDensity;
      const std::size_t enough =
          density ? limits::kStructureMatchesMax : count_that_decides(rule.predicate);
      return static_cast<double>(count_matches(*rule.regex, text, enough));
    }
    case Source::kKeywords: {
      Counter counter;
      if (!rule.literals.scan(text, scratch, counter)) return std::nullopt;
      return static_cast<double>(counter.count);
    }
    case Source::kSequence: {
      Sequences sequences(rule.markers, rule.lengths);
      if (!rule.literals.scan(text, scratch, sequences)) return std::nullopt;
      return sequences.complete ? 1 : 0;
    }
  }
  return std::nullopt;
}

exchange::SignalValue Structures::evaluate(std::uint32_t index, std::string_view text,
                                           Scratch& scratch) const {
  const Rule& rule = rules_[index];
  if (text.find_first_not_of(" \t\r\n\f\v") == std::string_view::npos) return matched(false);
  if (rule.source == Source::kRegex && rule.feature != Feature::kExists) {
    text = text.substr(0, tokenize::utf8_prefix(text, limits::kStructureBytesMax));
  }
  const auto counted = count(rule, text, scratch);
  if (!counted) return failed();
  double value = *counted;
  if (rule.feature == Feature::kExists) value = value > 0 ? 1 : 0;
  if (rule.feature == Feature::kDensity) {
    const std::size_t units = text_units(text);
    value = units == 0 ? 0 : value / static_cast<double>(units);
  }
  return matched(has_bound(rule.predicate) ? rule.predicate.holds(value) : value > 0);
}

}  // namespace signalbox::signals
