// Python's built-in hash() of integers, texts and tuples of them, as CPython 3.8 and newer computes it: LMCache names its
// chunks by it. Of texts it depends on PYTHONHASHSEED; a process without one hashes them its own way, which nobody else
// can repeat. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace signalbox::python {

// hash() of an integer of 64 bits with a sign. Never -1.
std::int64_t hash_integer(std::int64_t value);

// hash(None) of Python 3.12 and newer; before that it is an address, another one in every process.
inline constexpr std::int64_t kHashOfNone = 0xfca86420;

// Takes the hashes of a tuple's elements one by one. Two multiplications an element.
class TupleHash {
 public:
  void add(std::int64_t element_hash);
  std::int64_t finish() const;

 private:
  std::uint64_t state_ = 2870177450012600261U;
  std::uint64_t count_ = 0;
};

// Texts are hashed by SipHash-1-3 since Python 3.11, by SipHash-2-4 before.
enum class SipRounds : std::uint8_t { kOneThree, kTwoFour };

// hash() of an ASCII text in a process that was started with that PYTHONHASHSEED; nothing when the seed is no whole number
// up to 2^32 - 1, as Python demands.
std::optional<std::int64_t> hash_text(std::string_view text, std::string_view seed,
                                      SipRounds rounds);

}  // namespace signalbox::python
