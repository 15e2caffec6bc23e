// UTF-8 checks (Unicode 15 table 3-7: no overlong forms, no surrogates, nothing above U+10FFFF).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace signalbox::json {

// True when all of `text` is UTF-8. Vectorised, some GB/s.
bool is_utf8(std::string_view text);
// Length of the longest valid prefix. Byte by byte: only for saying where a text went wrong, and for repairing it.
std::size_t utf8_prefix(std::string_view text);
// Appends a code point; surrogates and values above U+10FFFF become U+FFFD.
void append_utf8(std::string& out, std::uint32_t code_point);

}  // namespace signalbox::json
