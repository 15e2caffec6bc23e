#include "base/md5.h"

#include <bit>
#include <cmath>
#include <cstring>

namespace signalbox {
namespace {

constexpr std::size_t kBlock = 64;
using State = std::array<std::uint32_t, 4>;

// Step i adds the whole part of 2^32 |sin(i + 1)|.
const std::array<std::uint32_t, 64>& addends() {
  static const auto table = [] {
    std::array<std::uint32_t, 64> values{};
    for (std::size_t i = 0; i < values.size(); ++i)
      values[i] = static_cast<std::uint32_t>(
          std::floor(0x1p32 * std::fabs(std::sin(static_cast<double>(i + 1)))));
    return values;
  }();
  return table;
}

constexpr std::array<std::array<int, 4>, 4> kShifts = {
    {{7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}}};

// The round's mix of the three other words, and which word of the block step i takes.
std::uint32_t mix(std::size_t round, std::uint32_t x, std::uint32_t y, std::uint32_t z) {
  switch (round) {
    case 0:
      return (x & y) | (~x & z);
    case 1:
      return (x & z) | (y & ~z);
    case 2:
      return x ^ y ^ z;
    default:
      return y ^ (x | ~z);
  }
}

std::size_t word_of(std::size_t round, std::size_t i) {
  constexpr std::array<std::size_t, 4> kStride = {1, 5, 3, 7};
  constexpr std::array<std::size_t, 4> kStart = {0, 1, 5, 0};
  return (kStride[round] * i + kStart[round]) % 16;
}

void absorb(State& state, const unsigned char* block) {
  std::array<std::uint32_t, 16> words{};
  for (std::size_t i = 0; i < kBlock; ++i) words[i / 4] |= std::uint32_t{block[i]} << (8 * (i % 4));
  auto [a, b, c, d] = state;
  for (std::size_t i = 0; i < kBlock; ++i) {
    const std::size_t round = i / 16;
    const std::uint32_t sum = a + mix(round, b, c, d) + words[word_of(round, i)] + addends()[i];
    a = d;
    d = c;
    c = b;
    b += std::rotl(sum, kShifts[round][i % 4]);
  }
  state[0] += a;
  state[1] += b;
  state[2] += c;
  state[3] += d;
}

// Digest bytes are the state's words, low byte first.
std::uint64_t big_endian(std::uint32_t first, std::uint32_t second) {
  const auto swap = [](std::uint32_t word) { return std::uint64_t{__builtin_bswap32(word)}; };
  return swap(first) << 32 | swap(second);
}

}  // namespace

Md5 md5(std::string_view bytes) {
  State state = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
  const std::uint64_t bits = std::uint64_t{bytes.size()} * 8;
  std::array<unsigned char, kBlock> block{};
  while (bytes.size() >= kBlock) {
    std::memcpy(block.data(), bytes.data(), kBlock);
    absorb(state, block.data());
    bytes.remove_prefix(kBlock);
  }
  // The rest, a 1 bit, zeros, and the length in bits: one block, or two if the length does not fit.
  block.fill(0);
  if (!bytes.empty()) std::memcpy(block.data(), bytes.data(), bytes.size());
  block[bytes.size()] = 0x80;
  if (bytes.size() + 1 > kBlock - sizeof bits) {
    absorb(state, block.data());
    block.fill(0);
  }
  for (std::size_t i = 0; i < sizeof bits; ++i)
    block[kBlock - sizeof bits + i] = static_cast<unsigned char>(bits >> (8 * i));
  absorb(state, block.data());
  return {big_endian(state[0], state[1]), big_endian(state[2], state[3])};
}

}  // namespace signalbox
