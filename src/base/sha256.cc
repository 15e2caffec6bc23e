#include "base/sha256.h"

#include <bit>
#include <cstddef>
#include <cstring>

namespace signalbox {
namespace {

constexpr std::size_t kBlock = 64;
using State = std::array<std::uint32_t, 8>;
__extension__ using Wide = unsigned __int128;

constexpr std::array<std::uint32_t, 64> first_primes() {
  std::array<std::uint32_t, 64> primes{};
  std::size_t count = 0;
  for (std::uint32_t candidate = 2; count < primes.size(); ++candidate) {
    bool prime = true;
    for (std::size_t i = 0; i < count && prime; ++i) prime = candidate % primes[i] != 0;
    if (prime) primes[count++] = candidate;
  }
  return primes;
}

// The first 32 bits behind the point of the square or cube root of `value`: the largest r with r^power <= value * 2^(32
// power), without its whole part.
constexpr std::uint32_t root_fraction(std::uint32_t value, int power) {
  std::uint64_t root = 0;
  for (int bit = 36; bit >= 0; --bit) {
    const std::uint64_t tried = root | std::uint64_t{1} << bit;
    const Wide square = Wide{tried} * tried;
    const bool fits =
        power == 2 ? square <= Wide{value} << 64 : square <= (Wide{value} << 96) / tried;
    if (fits) root = tried;
  }
  return static_cast<std::uint32_t>(root);
}

constexpr auto kAddends = [] {
  std::array<std::uint32_t, 64> values = first_primes();
  for (auto& value : values) value = root_fraction(value, 3);
  return values;
}();

constexpr auto kStart = [] {
  State state{};
  for (std::size_t i = 0; i < state.size(); ++i) state[i] = root_fraction(first_primes()[i], 2);
  return state;
}();

std::uint32_t spread(std::uint32_t x, int a, int b, int c) {
  return std::rotr(x, a) ^ std::rotr(x, b) ^ std::rotr(x, c);
}

void absorb(State& state, const std::uint8_t* block) {
  std::array<std::uint32_t, 64> words{};
  for (std::size_t i = 0; i < kBlock; ++i) words[i / 4] = words[i / 4] << 8 | block[i];
  for (std::size_t i = 16; i < words.size(); ++i) {
    const std::uint32_t near = words[i - 2];
    const std::uint32_t far = words[i - 15];
    words[i] = words[i - 16] + words[i - 7] +
               (std::rotr(far, 7) ^ std::rotr(far, 18) ^ (far >> 3)) +
               (std::rotr(near, 17) ^ std::rotr(near, 19) ^ (near >> 10));
  }
  auto [a, b, c, d, e, f, g, h] = state;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::uint32_t one =
        h + spread(e, 6, 11, 25) + ((e & f) ^ (~e & g)) + kAddends[i] + words[i];
    const std::uint32_t two = spread(a, 2, 13, 22) + ((a & b) ^ (a & c) ^ (b & c));
    h = g;
    g = f;
    f = e;
    e = d + one;
    d = c;
    c = b;
    b = a;
    a = one + two;
  }
  const State mixed = {a, b, c, d, e, f, g, h};
  for (std::size_t i = 0; i < state.size(); ++i) state[i] += mixed[i];
}

}  // namespace

Sha256 sha256(std::string_view bytes) {
  State state = kStart;
  const auto* at = reinterpret_cast<const std::uint8_t*>(bytes.data());
  std::size_t left = bytes.size();
  for (; left >= kBlock; at += kBlock, left -= kBlock) absorb(state, at);
  // A one bit, zeros, and the length in bits at the end of a block.
  std::array<std::uint8_t, 2 * kBlock> tail{};
  if (left > 0) std::memcpy(tail.data(), at, left);
  tail[left] = 0x80;
  const std::size_t size = left + 1 + sizeof(std::uint64_t) <= kBlock ? kBlock : 2 * kBlock;
  const std::uint64_t bits = std::uint64_t{bytes.size()} * 8;
  for (std::size_t i = 0; i < sizeof bits; ++i)
    tail[size - 1 - i] = static_cast<std::uint8_t>(bits >> (8 * i));
  for (std::size_t i = 0; i < size; i += kBlock) absorb(state, tail.data() + i);
  Sha256 digest{};
  for (std::size_t i = 0; i < digest.size(); ++i)
    digest[i] = static_cast<std::uint8_t>(state[i / 4] >> (24 - 8 * (i % 4)));
  return digest;
}

}  // namespace signalbox
