#include "signals/regex.h"

#include <fmt/format.h>
#include <re2/re2.h>

#include "base/limits.h"
#include "tokenize/unicode.h"

namespace signalbox::signals {

Result<std::unique_ptr<re2::RE2>> compile_regex(std::string_view pattern, bool case_sensitive,
                                                std::string_view what) {
  if (pattern.size() > limits::kPatternBytesMax) {
    return fail(Code::kConfig,
                fmt::format("{}: pattern is longer than {} bytes", what, limits::kPatternBytesMax));
  }
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_case_sensitive(case_sensitive);
  options.set_max_mem(limits::kRegexBytesMax);
  auto regex =
      std::make_unique<re2::RE2>(re2::StringPiece(pattern.data(), pattern.size()), options);
  if (!regex->ok()) {
    return fail(Code::kConfig,
                fmt::format("{}: invalid regular expression: {}", what, regex->error()));
  }
  if (regex->ProgramSize() > limits::kRegexProgramMax) {
    return fail(Code::kConfig,
                fmt::format("{}: pattern expands to {} instructions, at most {} are allowed", what,
                            regex->ProgramSize(), limits::kRegexProgramMax));
  }
  return regex;
}

std::size_t count_matches(const re2::RE2& regex, std::string_view text, std::size_t count_max) {
  const re2::StringPiece whole(text.data(), text.size());
  std::size_t count = 0;
  std::size_t at = 0;
  re2::StringPiece found;
  while (count < count_max && at <= text.size() &&
         regex.Match(whole, at, whole.size(), re2::RE2::UNANCHORED, &found, 1)) {
    ++count;
    const auto end = static_cast<std::size_t>(found.data() + found.size() - text.data());
    at = end;
    if (!found.empty()) continue;
    // An empty match: go on behind the next character.
    at += end < text.size() ? tokenize::decode_utf8(text.substr(end)).bytes : 1;
  }
  return count;
}

}  // namespace signalbox::signals
