#include "base/ids.h"

#include <array>
#include <cstring>
#include <string_view>

namespace signalbox {
namespace {

using Pair = std::array<char, 2>;

constexpr std::array<Pair, 256> pairs_of_digits() {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::array<Pair, 256> pairs{};
  for (std::size_t byte = 0; byte < pairs.size(); ++byte)
    pairs[byte] = {kDigits[byte >> 4], kDigits[byte & 0xF]};
  return pairs;
}

constexpr std::array<Pair, 256> kPairs = pairs_of_digits();

}  // namespace

std::string random_hex(Random& random, int words) {
  constexpr std::size_t kWordDigits = 16;
  std::string out(static_cast<std::size_t>(words) * kWordDigits, '0');
  char* digits = out.data();
  for (int i = 0; i < words; ++i, digits += kWordDigits) {
    const std::uint64_t word = random.next();
    for (std::size_t byte = 0; byte < sizeof(word); ++byte)
      std::memcpy(digits + 2 * byte, kPairs[(word >> (56 - 8 * byte)) & 0xFF].data(), 2);
  }
  return out;
}

}  // namespace signalbox
