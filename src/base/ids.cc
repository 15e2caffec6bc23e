#include "base/ids.h"

#include <string_view>

namespace signalbox {

std::string random_hex(Random& random, int words) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  constexpr int kWordDigits = 16;
  std::string out(static_cast<std::size_t>(words) * kWordDigits, '0');
  char* digits = out.data();
  for (int i = 0; i < words; ++i, digits += kWordDigits) {
    const std::uint64_t word = random.next();
    for (int digit = 0; digit < kWordDigits; ++digit)
      digits[digit] = kDigits[(word >> (60 - 4 * digit)) & 0xF];
  }
  return out;
}

}  // namespace signalbox
