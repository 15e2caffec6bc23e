// Classes of non-ASCII code points as the reference tokenizer sees them (its Unicode tables are
// older than utf8proc's). Data in unicode_tables.cc, made by train/unicode_tables.py.
#pragma once

#include <cstdint>
#include <span>

namespace signalbox::tokenize {

struct CodePointRange {
  std::uint32_t first;
  std::uint32_t last;  // inclusive
};

std::span<const CodePointRange>
dropped_ranges();  // control, format and private use; removed before anything else
std::span<const CodePointRange> mark_ranges();  // non-spacing marks; removed after decomposition
std::span<const CodePointRange> punctuation_ranges();  // each is a word of its own

}  // namespace signalbox::tokenize
