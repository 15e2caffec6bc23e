// The inner loop of every JSON string: skipping bytes that mean themselves.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace signalbox::json {

// True for the bytes that end a run of plain text inside a string: quote, backslash, control characters.
constexpr bool is_special(char c) {
  return c == '"' || c == '\\' || static_cast<unsigned char>(c) < 0x20;
}

// Offset of the first special byte at or after `position`, or text.size(). Reads inside `text` only. SSE2 (part of
// every x86-64) 16 bytes a step, elsewhere 8 bytes a step.
inline std::size_t find_special(std::string_view text, std::size_t position) {
#if defined(__SSE2__)
  const __m128i quote = _mm_set1_epi8('"');
  const __m128i backslash = _mm_set1_epi8('\\');
  const __m128i control_max = _mm_set1_epi8(0x1F);
  for (; position + 16 <= text.size(); position += 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text.data() + position));
    const __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, control_max), bytes);
    const __m128i stop =
        _mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, backslash));
    const auto mask = static_cast<unsigned>(_mm_movemask_epi8(_mm_or_si128(stop, control)));
    if (mask != 0) return position + static_cast<std::size_t>(std::countr_zero(mask));
  }
#else
  // Bit tricks on eight bytes at once: (x - 0x01..) & ~x & 0x80.. is nonzero when some byte of x is zero.
  constexpr std::uint64_t kOnes = 0x0101010101010101;
  constexpr std::uint64_t kHighs = 0x8080808080808080;
  const auto has_zero = [](std::uint64_t x) { return (x - kOnes) & ~x & kHighs; };
  for (; position + 8 <= text.size(); position += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, text.data() + position, sizeof word);
    const std::uint64_t below_space = (word - kOnes * 0x20) & ~word & kHighs;
    if ((below_space | has_zero(word ^ (kOnes * '"')) | has_zero(word ^ (kOnes * '\\'))) != 0)
      break;
  }
#endif
  while (position < text.size() && !is_special(text[position])) ++position;
  return position;
}

}  // namespace signalbox::json
