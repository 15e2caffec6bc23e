#include "signals/keyword.h"

#include <fmt/format.h>
#include <re2/re2.h>
#include <re2/set.h>

#include <algorithm>
#include <map>
#include <utility>

#include "base/limits.h"
#include "signals/regex.h"

namespace signalbox::signals {
namespace {

using config::KeywordOperator;

bool is_regex(const std::string& keyword) {
  return keyword.size() > 2 && keyword.front() == '/' && keyword.back() == '/';
}

re2::RE2::Options set_options() {
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(limits::kRegexBytesMax);
  return options;
}

}  // namespace

struct Keywords::Regexes {
  re2::RE2::Set set{set_options(), re2::RE2::UNANCHORED};
  std::vector<std::unique_ptr<re2::RE2>>
      singles;                         // by number in the set; used when the set runs out of memory
  std::vector<std::uint32_t> keyword;  // by number in the set

  Result<void> add(const std::string& pattern, bool case_sensitive, std::uint32_t id,
                   std::string_view what) {
    SBX_TRY(auto single, compile_regex(pattern, case_sensitive, what));
    // The pattern is known to be valid by itself, so it cannot close the group early.
    const std::string grouped = (case_sensitive ? "(?:" : "(?i:") + pattern + ")";
    std::string error;
    if (set.Add(grouped, &error) < 0) {
      return fail(Code::kConfig, fmt::format("{}: invalid regular expression: {}", what, error));
    }
    singles.push_back(std::move(single));
    keyword.push_back(id);
    return {};
  }

  template <class Found>
  void each_match(std::string_view text, Found found) const {
    const re2::StringPiece piece(text.data(), text.size());
    std::vector<int> hits;
    re2::RE2::Set::ErrorInfo error{};
    if (set.Match(piece, &hits, &error) || error.kind == re2::RE2::Set::kNoError) {
      for (const int hit : hits) found(keyword[static_cast<std::size_t>(hit)]);
      return;
    }
    for (std::size_t i = 0; i < singles.size(); ++i) {
      if (re2::RE2::PartialMatch(piece, *singles[i])) found(keyword[i]);
    }
  }
};

// Progress of one scan: which keywords were seen, and what that decides.
class Keywords::Scan final : public LiteralMatcher::Sink {
 public:
  Scan(const Keywords& keywords, std::span<const Wanted> wanted, std::vector<std::uint8_t>& seen)
      : keywords_(keywords), seen_(seen), undecided_(wanted.size()) {
    seen_.assign(keywords.users_.size(), 0);
    rules_.resize(keywords.rules_.size());
    for (const Wanted& one : wanted)
      rules_[one.rule] = {one.value, keywords.rules_[one.rule].keyword_count};
  }

  bool found(std::uint32_t literal, std::size_t, std::size_t) override {
    return keyword(keywords_.literal_keyword_[literal]);
  }

  // False once nothing is left to decide.
  bool keyword(std::uint32_t keyword) {
    if (std::exchange(seen_[keyword], 1) != 0) return undecided_ > 0;
    for (const std::uint32_t rule : keywords_.users_[keyword]) {
      Progress& progress = rules_[rule];
      if (progress.value == nullptr) continue;
      const KeywordOperator op = keywords_.rules_[rule].op;
      if (op == KeywordOperator::kAnd && --progress.missing > 0) continue;
      *progress.value = matched(op != KeywordOperator::kNor);
      progress.value = nullptr;
      --undecided_;
    }
    return undecided_ > 0;
  }

  bool undecided() const { return undecided_ > 0; }

 private:
  struct Progress {
    exchange::SignalValue* value = nullptr;  // null: not wanted or decided
    std::uint32_t missing = 0;
  };
  const Keywords& keywords_;
  std::vector<std::uint8_t>& seen_;
  std::vector<Progress> rules_;
  std::size_t undecided_;
};

Keywords::Keywords() = default;
Keywords::Keywords(Keywords&&) noexcept = default;
Keywords& Keywords::operator=(Keywords&&) noexcept = default;
Keywords::~Keywords() = default;

Result<std::uint32_t> Keywords::add(const config::KeywordRule& rule, const std::string& keyword,
                                    std::vector<Literal>& literals) {
  const auto id = static_cast<std::uint32_t>(users_.size());
  const std::string what = fmt::format("keyword rule '{}'", rule.name);
  if (is_regex(keyword)) {
    if (!regexes_) regexes_ = std::make_unique<Regexes>();
    SBX_CHECK_OK(
        regexes_->add(keyword.substr(1, keyword.size() - 2), rule.case_sensitive, id, what));
  } else {
    if (keyword.empty()) return fail(Code::kConfig, what + ": a keyword is empty");
    literals.push_back({.text = keyword, .case_sensitive = rule.case_sensitive});
    literal_keyword_.push_back(id);
  }
  users_.emplace_back();
  return id;
}

Result<Keywords> Keywords::compile(std::span<const config::KeywordRule> rules) {
  Keywords made;
  std::vector<Literal> literals;
  std::map<std::pair<std::string, bool>, std::uint32_t> known;
  for (std::uint32_t index = 0; index < rules.size(); ++index) {
    const config::KeywordRule& rule = rules[index];
    made.rules_.push_back({.op = rule.op});
    if (rule.keywords.empty())
      return fail(Code::kConfig, fmt::format("keyword rule '{}' has no keywords", rule.name));
    if (rule.method != config::KeywordMethod::kRegex) made.approximated_.push_back(rule.name);
    for (const std::string& keyword : rule.keywords) {
      auto at = known.find({keyword, rule.case_sensitive});
      if (at == known.end()) {
        SBX_TRY(const std::uint32_t id, made.add(rule, keyword, literals));
        at = known.emplace(std::pair(keyword, rule.case_sensitive), id).first;
      }
      auto& users = made.users_[at->second];
      if (!users.empty() && users.back() == index) continue;
      users.push_back(index);
      ++made.rules_[index].keyword_count;
    }
  }
  SBX_TRY(made.matcher_, LiteralMatcher::compile(std::move(literals)));
  if (made.regexes_ && !made.regexes_->set.Compile()) {
    return fail(Code::kConfig,
                "the regular expressions of all keyword rules together need too much memory");
  }
  return made;
}

void Keywords::evaluate(std::span<const Wanted> wanted, std::string_view text,
                        Scratch& scratch) const {
  for (const Wanted& one : wanted)
    *one.value = matched(rules_[one.rule].op == KeywordOperator::kNor);
  Scan scan(*this, wanted, scratch.marks);
  if (!matcher_.scan(text, scratch, scan)) {
    for (const Wanted& one : wanted) *one.value = failed();
    return;
  }
  if (!regexes_ || !scan.undecided()) return;
  regexes_->each_match(text, [&scan](std::uint32_t keyword) { scan.keyword(keyword); });
}

}  // namespace signalbox::signals
