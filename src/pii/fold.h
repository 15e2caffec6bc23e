// Digits and marks in other writings as the ASCII that the recognisers read: full-width forms, decimal digits of other
// scripts, and without the characters that have no width.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace signalbox::pii {

struct Folded {
  std::string text;
  // By byte of `text`: where the character it came from begins and ends in the original.
  std::vector<std::uint32_t> begins, ends;
};

// Whether fold() would change anything. Cost: a search for four bytes.
bool needs_folding(std::string_view text);
// Texts below 4 GiB. Other bytes, also broken UTF-8, stay as they are.
Folded fold(std::string_view text);

}  // namespace signalbox::pii
