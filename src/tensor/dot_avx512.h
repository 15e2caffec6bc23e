// Shared by the sources of the AVX512 dot kernels. Everything is in an unnamed namespace and nothing
// from the standard library is called, for the reason given in kernels_vector.h.
#pragma once

#if defined(__AVX512F__)
#include <immintrin.h>

#include "tensor/dot_kernels.h"

namespace signalbox::tensor {
namespace {

inline constexpr std::size_t kLanes = 16;

// One instruction in inline assembly each: written as intrinsics, g++ 12 folds the loads of weights
// into every instruction that uses them and spills accumulators, which halves the speed.
inline void dot_int8(__m512i& sum, __m512i unsigned_bytes, __m512i signed_bytes) {
  asm("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(unsigned_bytes), "v"(signed_bytes));
}
inline void dot_bf16(__m512& sum, __m512i a, __m512i b) {
  asm("vdpbf16ps %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
}

inline __m512i broadcast_group(const std::byte* group) {
  __m512i value = _mm512_set1_epi32(*reinterpret_cast<const std::int32_t*>(group));
  asm("" : "+v"(value));  // stays in a register
  return value;
}
inline __m512i load_groups(const std::byte* groups) {
  __m512i value = _mm512_loadu_si512(groups);
  asm("" : "+v"(value));
  return value;
}

}  // namespace
}  // namespace signalbox::tensor

#endif
