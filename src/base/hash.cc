#include "base/hash.h"

#include <cstring>

namespace signalbox {
namespace {

__extension__ using Wide = unsigned __int128;

std::uint64_t fold(std::uint64_t a, std::uint64_t b) {
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

template <class Word>
Word load(const char* from) {
  Word word = 0;
  std::memcpy(&word, from, sizeof(word));
  return word;
}

// The next `size` bytes, 1 to 8, little-endian, zeros above; by loads that overlap, as a memcpy of unknown size is a call.
std::uint64_t read_word(const char* from, std::size_t size) {
  if (size == 8) return load<std::uint64_t>(from);
  if (size >= 4) {
    const auto high = static_cast<std::uint64_t>(load<std::uint32_t>(from + size - 4));
    return load<std::uint32_t>(from) | high << (8 * (size - 4));
  }
  const auto byte = [&](std::size_t at) {
    return static_cast<std::uint64_t>(static_cast<unsigned char>(from[at])) << (8 * at);
  };
  return byte(0) | byte(size / 2) | byte(size - 1);
}

// Odd constants with balanced bits (fractional parts of square roots of primes).
constexpr std::uint64_t kA = 0x6a09e667f3bcc909ULL;
constexpr std::uint64_t kB = 0xbb67ae8584caa73bULL;

constexpr std::size_t kWordsBytes = 16;  // two words go into one multiply

std::uint64_t take_words(std::uint64_t state, const char* at) {
  return fold(load<std::uint64_t>(at) ^ kA ^ state, load<std::uint64_t>(at + 8) ^ kB);
}

}  // namespace

std::uint64_t hash64(std::string_view bytes, std::uint64_t seed) {
  std::uint64_t state = fold(seed ^ kA, bytes.size() ^ kB);
  const char* at = bytes.data();
  std::size_t left = bytes.size();
  for (; left >= kWordsBytes; left -= kWordsBytes, at += kWordsBytes) state = take_words(state, at);
  if (left > 8) {
    state = fold(read_word(at, 8) ^ kA ^ state, read_word(at + 8, left - 8) ^ kB);
  } else if (left > 0) {
    state = fold(read_word(at, left) ^ kA ^ state, left ^ kB);
  }
  return mix64(state);
}

std::uint64_t block_hash64(std::string_view bytes, std::uint64_t seed) {
  constexpr std::size_t kLanes = 4;
  constexpr std::size_t kStripeBytes = kLanes * kWordsBytes;
  std::uint64_t a = mix64(seed);
  std::uint64_t b = mix64(seed + 1);
  std::uint64_t c = mix64(seed + 2);
  std::uint64_t d = mix64(seed + 3);
  for (; bytes.size() >= kStripeBytes; bytes.remove_prefix(kStripeBytes)) {
    a = take_words(a, bytes.data());
    b = take_words(b, bytes.data() + kWordsBytes);
    c = take_words(c, bytes.data() + 2 * kWordsBytes);
    d = take_words(d, bytes.data() + 3 * kWordsBytes);
  }
  return hash64(bytes, fold(fold(a ^ kA, b ^ kB) ^ c ^ kA, d ^ kB));
}

}  // namespace signalbox
