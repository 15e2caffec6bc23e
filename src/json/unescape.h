// Text of a JSON string from its bytes between the quotes.
#pragma once

#include <string>
#include <string_view>

namespace signalbox::json {

// `raw` must have passed Document::parse. Surrogate pairs become one code point, lone surrogates U+FFFD (the body itself
// is passed on as written, so the engine sees what the client sent). Appends to `out`; O(bytes).
void append_unescaped(std::string& out, std::string_view raw);

}  // namespace signalbox::json
