#include "base/ids.h"

#include <string_view>

namespace signalbox {

std::string random_hex(Random& random, int words) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out(static_cast<std::size_t>(words) * 16, '0');
  for (auto digit = out.begin(); digit != out.end();) {
    const std::uint64_t word = random.next();
    for (int shift = 60; shift >= 0; shift -= 4) *digit++ = kDigits[(word >> shift) & 0xF];
  }
  return out;
}

}  // namespace signalbox
