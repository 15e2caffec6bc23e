// Vectors of floats of SBX_VECTOR_FLOATS lanes and the functions of a transformer on them. Included
// by one source per instruction set, each compiled for its own. Everything is in an unnamed namespace
// and nothing from the standard library is called: an inline function shared with other files could
// otherwise be linked in its AVX512 version and run on a CPU without it.
#pragma once

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include <cstddef>
#include <cstdint>

#ifndef SBX_VECTOR_FLOATS
#define SBX_VECTOR_FLOATS 4
#endif

namespace signalbox::tensor {
namespace {

constexpr std::size_t kLanes = SBX_VECTOR_FLOATS;
typedef float Floats __attribute__((vector_size(kLanes * 4), may_alias));
typedef float UnalignedFloats __attribute__((vector_size(kLanes * 4), aligned(4), may_alias));
typedef std::int32_t Ints __attribute__((vector_size(kLanes * 4)));

inline Floats load(const float* from) { return *reinterpret_cast<const UnalignedFloats*>(from); }
inline void store(float* to, Floats value) { *reinterpret_cast<UnalignedFloats*>(to) = value; }
inline Floats fill(float value) { return Floats{} + value; }

// Keeps a loaded value in a register. Without it g++ folds the load into every instruction that
// uses the value, and the loop becomes bound by loads (seen in the disassembly of g++ 12: twice the
// time).
#if defined(__aarch64__)
inline void pin(Floats& value) { asm("" : "+w"(value)); }
#else
inline void pin(Floats& value) { asm("" : "+v"(value)); }
#endif

inline float sum_of(Floats v) {
#if SBX_VECTOR_FLOATS == 16
  return _mm512_reduce_add_ps(reinterpret_cast<__m512>(v));
#else
  float even = 0, odd = 0;  // two chains of additions
  for (std::size_t i = 0; i < kLanes; i += 2) even += v[i], odd += v[i + 1];
  return even + odd;
#endif
}

// exp(x) for x <= 0 to 2 ulp or so: 2^n * 2^f with f in [-1/2, 1/2] by a degree 6 polynomial. Below
// -87 it gives about 0.
inline Floats exp_of(Floats x) {
  const Floats low = fill(-87.0f);
  x = x > low ? x : low;
  const Floats t = x * 1.44269504088896341f;
  const Floats magic = fill(12582912.0f);  // 1.5 * 2^23: adding it rounds to an integer
  const Floats whole = (t + magic) - magic;
  // Subtract whole * ln 2 in two parts, so that the argument keeps its bits.
  const Floats f = (x - whole * 0.693359375f) - whole * -2.12194440e-4f;
  Floats p = fill(1.0f / 720);
  p = p * f + 1.0f / 120;
  p = p * f + 1.0f / 24;
  p = p * f + 1.0f / 6;
  p = p * f + 0.5f;
  p = p * f + 1.0f;
  p = p * f + 1.0f;
  const Ints power = (__builtin_convertvector(whole, Ints) + 127) << 23;
  return p * reinterpret_cast<const Floats&>(power);
}

// erf by formula 7.1.26 of Abramowitz and Stegun, absolute error below 1.5e-7.
inline Floats gelu_of(Floats x) {
  const Floats z = x * 0.70710678118654752f;
  const Floats size = z < fill(0.0f) ? -z : z;
  const Floats t = 1.0f / (1.0f + 0.3275911f * size);
  Floats p = fill(1.061405429f);
  p = p * t + -1.453152027f;
  p = p * t + 1.421413741f;
  p = p * t + -0.284496736f;
  p = p * t + 0.254829592f;
  const Floats tail = p * t * exp_of(-(size * size));  // 1 - erf(|z|)
  return z < fill(0.0f) ? 0.5f * x * tail : x - 0.5f * x * tail;
}

}  // namespace
}  // namespace signalbox::tensor
