// Is a code point part of a word? For signals that look for words; the tokenizer has its own
// classes (unicode.h).
#pragma once

#include <cstdint>

namespace signalbox::tokenize {

// Letters, combining marks, digits and other numbers, and connectors such as the underscore, by
// Unicode category. Variation selectors (emoji) and everything else, U+FFFD included, are not.
bool is_word(std::uint32_t point);

}  // namespace signalbox::tokenize
