#include "signals/literal_matcher.h"

#include <fmt/format.h>
#include <hs/hs.h>

#include <limits>

#include "base/limits.h"
#include "signals/words.h"

namespace signalbox::signals {
namespace {

struct Pass {
  const std::vector<Literal>* literals;
  std::string_view text;
  LiteralMatcher::Sink* sink;
};

int on_match(unsigned int id, unsigned long long, unsigned long long to, unsigned int,
             void* context) {
  const auto& pass = *static_cast<const Pass*>(context);
  const Literal& literal = (*pass.literals)[id];
  const auto end = static_cast<std::size_t>(to);
  const std::size_t begin = end - literal.text.size();
  if (literal.whole_word && !whole_word(pass.text, begin, end)) return 0;
  return pass.sink->found(id, begin, end) ? 0 : 1;
}

}  // namespace

void Scratch::Free::operator()(hs_scratch* scratch) const { hs_free_scratch(scratch); }
void LiteralMatcher::Free::operator()(hs_database* database) const { hs_free_database(database); }

Result<void> Scratch::prepare(const LiteralMatcher& matcher) {
  for (const auto* database : {matcher.folded_.get(), matcher.exact_.get()}) {
    if (database == nullptr) continue;
    hs_scratch_t* grown = scratch_.release();  // hs_alloc_scratch replaces it when it is too small
    const hs_error_t status = hs_alloc_scratch(database, &grown);
    scratch_.reset(grown);
    if (status != HS_SUCCESS) return fail(Code::kInternal, "no memory for the keyword scanner");
  }
  return {};
}

std::string_view Scratch::folded(std::string_view text) {
  if (source_.data() != text.data() || source_.size() != text.size() || text.empty()) {
    folded_.clear();
    fold(text, folded_);
    source_ = text;
  }
  return folded_;
}

Result<LiteralMatcher::Database> LiteralMatcher::build(const std::vector<Literal>& literals,
                                                       bool case_sensitive) {
  std::vector<const char*> texts;
  std::vector<unsigned> flags;
  std::vector<unsigned> ids;
  std::vector<std::size_t> lengths;
  for (std::size_t i = 0; i < literals.size(); ++i) {
    if (literals[i].case_sensitive != case_sensitive) continue;
    texts.push_back(literals[i].text.c_str());
    flags.push_back(0);
    ids.push_back(static_cast<unsigned>(i));
    lengths.push_back(literals[i].text.size());
  }
  if (texts.empty()) return Database{};
  hs_database_t* database = nullptr;
  hs_compile_error_t* error = nullptr;
  const hs_error_t status = hs_compile_lit_multi(
      texts.data(), flags.data(), ids.data(), lengths.data(), static_cast<unsigned>(texts.size()),
      HS_MODE_BLOCK, nullptr, &database, &error);
  if (status == HS_SUCCESS) return Database(database);
  std::string message = "keywords do not compile";
  if (error != nullptr) {
    message += fmt::format(": {}", error->message);
    hs_free_compile_error(error);
  }
  return fail(Code::kConfig, std::move(message));
}

Result<LiteralMatcher> LiteralMatcher::compile(std::vector<Literal> literals) {
  if (literals.size() > limits::kKeywordsMax) {
    return fail(Code::kConfig, fmt::format("{} keywords, at most {} are allowed", literals.size(),
                                           limits::kKeywordsMax));
  }
  if (hs_valid_platform() != HS_SUCCESS)
    return fail(Code::kUnsupported, "keyword signals need a CPU with SSSE3");
  LiteralMatcher matcher;
  for (Literal& literal : literals) {
    if (literal.text.empty()) return fail(Code::kConfig, "a keyword is empty");
    if (literal.text.size() > limits::kKeywordBytesMax) {
      return fail(Code::kConfig,
                  fmt::format("a keyword is longer than {} bytes", limits::kKeywordBytesMax));
    }
    if (literal.case_sensitive) continue;
    std::string folded;
    fold(literal.text, folded);
    literal.text = std::move(folded);
  }
  matcher.literals_ = std::move(literals);
  SBX_TRY(matcher.folded_, build(matcher.literals_, false));
  SBX_TRY(matcher.exact_, build(matcher.literals_, true));
  return matcher;
}

Result<void> LiteralMatcher::scan_one(const hs_database* database, std::string_view text,
                                      Scratch& scratch, Sink& sink, bool& stopped) const {
  if (database == nullptr || text.empty() || stopped) return {};
  if (text.size() > std::numeric_limits<unsigned>::max())
    return fail(Code::kPayloadTooLarge, "text beyond 4 GiB");
  Pass pass{&literals_, text, &sink};
  const hs_error_t status = hs_scan(database, text.data(), static_cast<unsigned>(text.size()), 0,
                                    scratch.scratch_.get(), on_match, &pass);
  stopped = status == HS_SCAN_TERMINATED;
  if (status == HS_SUCCESS || stopped) return {};
  return fail(Code::kInternal, fmt::format("keyword scan failed with status {}", status));
}

Result<void> LiteralMatcher::scan(std::string_view text, Scratch& scratch, Sink& sink) const {
  bool stopped = false;
  if (folded_) SBX_CHECK_OK(scan_one(folded_.get(), scratch.folded(text), scratch, sink, stopped));
  return scan_one(exact_.get(), text, scratch, sink, stopped);
}

}  // namespace signalbox::signals
