// Non-cryptographic hashing, stable across processes and machines: two routers must agree on it (session ring, prefix
// blocks). Not for keys an attacker may choose where collisions would hurt; those use OpenSSL digests.
#pragma once

#include <cstdint>
#include <string_view>

namespace signalbox {

// Finaliser of splitmix64 (Steele, Lea, Flood 2014): full avalanche of one word.
constexpr std::uint64_t mix64(std::uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

// 64-bit hash of bytes; 16 bytes a multiply. Little-endian reads, so equal on every machine we build for. Trained heads
// name the weights they were trained for by it, so its values stay what they are.
std::uint64_t hash64(std::string_view bytes, std::uint64_t seed = 0);
// The same for blocks of some hundred bytes or more: each multiply waits for the one before it, so these go through four
// chains side by side. Other values than hash64's.
std::uint64_t block_hash64(std::string_view bytes, std::uint64_t seed);

}  // namespace signalbox
