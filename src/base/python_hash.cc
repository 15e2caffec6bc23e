#include "base/python_hash.h"

#include <array>
#include <bit>
#include <cstddef>

#include "base/text.h"

namespace signalbox::python {
namespace {

// Integers are hashed modulo this prime.
constexpr std::uint64_t kModulus = (std::uint64_t{1} << 61) - 1;
constexpr std::int64_t kError = -1;  // never a hash: it says that hashing failed
constexpr std::int64_t kInsteadOfError = -2;
constexpr std::int64_t kTupleInsteadOfError = 1546275796;
// xxHash's, as CPython's tuple hash takes them.
constexpr std::uint64_t kPrime1 = 11400714785074694791U;
constexpr std::uint64_t kPrime2 = 14029467366897019727U;
constexpr std::uint64_t kPrime5 = 2870177450012600261U;
constexpr std::uint64_t kLengthMix = kPrime5 ^ 3527539U;
constexpr int kTupleRotation = 31;
constexpr std::uint64_t kSeedMax = 0xffffffff;

using Key = std::array<std::uint64_t, 2>;

// A seed of 0 means no randomness; others are stretched by the generator of old C libraries.
Key key_of(std::uint32_t seed) {
  Key key{};
  if (seed == 0) return key;
  std::uint32_t x = seed;
  for (std::size_t i = 0; i < 16; ++i) {
    x = x * 214013 + 2531011;
    key[i / 8] |= std::uint64_t{(x >> 16) & 0xff} << (8 * (i % 8));
  }
  return key;
}

// SipHash (Aumasson, Bernstein 2012).
class SipHash {
 public:
  SipHash(Key key, SipRounds rounds)
      : rounds_(rounds == SipRounds::kOneThree ? 1 : 2),
        v0_(key[0] ^ 0x736f6d6570736575U),
        v1_(key[1] ^ 0x646f72616e646f6dU),
        v2_(key[0] ^ 0x6c7967656e657261U),
        v3_(key[1] ^ 0x7465646279746573U) {}

  void add(std::uint64_t word) {
    v3_ ^= word;
    mix(rounds_);
    v0_ ^= word;
  }
  std::uint64_t finish() {
    v2_ ^= 0xff;
    mix(rounds_ == 1 ? 3 : 4);
    return v0_ ^ v1_ ^ v2_ ^ v3_;
  }

 private:
  void mix(int rounds) {
    for (int i = 0; i < rounds; ++i) {
      v0_ += v1_;
      v2_ += v3_;
      v1_ = std::rotl(v1_, 13) ^ v0_;
      v3_ = std::rotl(v3_, 16) ^ v2_;
      v0_ = std::rotl(v0_, 32);
      v2_ += v1_;
      v0_ += v3_;
      v1_ = std::rotl(v1_, 17) ^ v2_;
      v3_ = std::rotl(v3_, 21) ^ v0_;
      v2_ = std::rotl(v2_, 32);
    }
  }
  int rounds_;
  std::uint64_t v0_, v1_, v2_, v3_;
};

}  // namespace

std::int64_t hash_integer(std::int64_t value) {
  const bool negative = value < 0;
  // Not -value: the least one has no opposite.
  const std::uint64_t size =
      negative ? ~static_cast<std::uint64_t>(value) + 1 : static_cast<std::uint64_t>(value);
  const auto rest = static_cast<std::int64_t>(size % kModulus);
  const std::int64_t hash = negative ? -rest : rest;
  return hash == kError ? kInsteadOfError : hash;
}

void TupleHash::add(std::int64_t element_hash) {
  state_ += static_cast<std::uint64_t>(element_hash) * kPrime2;
  state_ = std::rotl(state_, kTupleRotation) * kPrime1;
  ++count_;
}

std::int64_t TupleHash::finish() const {
  const auto hash = static_cast<std::int64_t>(state_ + (count_ ^ kLengthMix));
  return hash == kError ? kTupleInsteadOfError : hash;
}

std::optional<std::int64_t> hash_text(std::string_view text, std::string_view seed,
                                      SipRounds rounds) {
  const auto number = parse_uint(seed);
  if (!number || *number > kSeedMax) return std::nullopt;
  if (text.empty()) return 0;
  SipHash sip(key_of(static_cast<std::uint32_t>(*number)), rounds);
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    word |= std::uint64_t{static_cast<unsigned char>(text[i])} << (8 * (i % 8));
    if (i % 8 != 7) continue;
    sip.add(word);
    word = 0;
  }
  sip.add(word | std::uint64_t{text.size() & 0xff} << 56);
  const auto hash = static_cast<std::int64_t>(sip.finish());
  return hash == kError ? kInsteadOfError : hash;
}

}  // namespace signalbox::python
