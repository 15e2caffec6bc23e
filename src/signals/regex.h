// Regular expressions from configuration (RE2 syntax): linear time, bounded memory, checked at load.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"

namespace re2 {
class RE2;
}

namespace signalbox::signals {

// Errors: kConfig when the pattern is not valid, longer than limits::kPatternBytesMax, or needs more than
// limits::kRegexProgramMax instructions. `what` names the rule in the message.
Result<std::unique_ptr<re2::RE2>> compile_regex(std::string_view pattern, bool case_sensitive,
                                                std::string_view what);

// Occurrences that do not overlap, counted up to `count_max`. One linear search each, so callers bound text and count.
std::size_t count_matches(const re2::RE2& regex, std::string_view text, std::size_t count_max);

}  // namespace signalbox::signals
