// Attention with the scores transposed: lanes are queries, rows are keys. Maxima and sums of the
// softmax are then plain vertical operations, keys and values are read as they lie (one broadcast
// pair at a time), and only the queries, once a block, and the answers have to be turned.
#include "tensor/dot_avx512.h"
#include "tensor/kernels.h"

#if defined(__x86_64__)
#include "tensor/dot_x86.h"

namespace signalbox::tensor {
namespace {

constexpr std::size_t kQueryBlock = kAttentionQueries;
constexpr std::size_t kQueryVectors = kQueryBlock / kLanes;
constexpr std::size_t kKeyBlock = kAttentionKeys;

// Where each part of the scratch space begins; a pair is two bf16 in four bytes.
struct Scratch {
  std::uint32_t* keys;     // [tokens][pairs]
  std::uint32_t* values;   // [tokens / 2][width], values of two tokens together
  std::uint32_t* queries;  // [pairs][kQueryBlock]
  float* scores;           // [kKeyBlock][kQueryBlock], then probabilities as [kKeyBlock / 2] pairs
  float* answers;          // [width, whole vectors][kQueryBlock]
};

std::size_t pairs_of(std::size_t width) { return (width + 1) / 2; }

Scratch divide(const Attention& a) {
  float* at = a.scratch.data();
  const auto take = [&](std::size_t count) {
    float* part = at;
    at += round_up(count, kLanes);
    return part;
  };
  const std::size_t pairs = pairs_of(a.width);
  Scratch s;
  s.keys = reinterpret_cast<std::uint32_t*>(take(a.tokens * pairs));
  s.values = reinterpret_cast<std::uint32_t*>(take((a.tokens + 1) / 2 * a.width));
  s.queries = reinterpret_cast<std::uint32_t*>(take(round_up(pairs, kLanes) * kQueryBlock));
  s.scores = take(kKeyBlock * kQueryBlock);
  s.answers = take(round_up(a.width, kLanes) * kQueryBlock);
  return s;
}

// 2^x for x <= 0, relative error below 1e-4 (a bf16 keeps 2e-3).
inline __m512 exp2_of(__m512 x) {
  const __m512 part =
      _mm512_reduce_ps(x, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);  // x - floor(x)
  __m512 p = _mm512_set1_ps(0.07802443206310272f);
  p = _mm512_fmadd_ps(p, part, _mm512_set1_ps(0.22606733441352844f));
  p = _mm512_fmadd_ps(p, part, _mm512_set1_ps(0.6958334445953369f));
  p = _mm512_fmadd_ps(p, part, _mm512_set1_ps(0.9999252557754517f));
  return _mm512_scalef_ps(p, x);  // p * 2^floor(x)
}

inline void transpose16(__m512i (&m)[16]) {
  __m512i t[16];
#pragma GCC unroll 8
  for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_epi32(m[i], m[i + 1]);
    t[i + 1] = _mm512_unpackhi_epi32(m[i], m[i + 1]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 16; i += 4) {
    m[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
    m[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
    m[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
    m[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    t[i] = _mm512_shuffle_i32x4(m[i], m[i + 4], 0x88);
    t[i + 4] = _mm512_shuffle_i32x4(m[i], m[i + 4], 0xdd);
    t[i + 8] = _mm512_shuffle_i32x4(m[i + 8], m[i + 12], 0x88);
    t[i + 12] = _mm512_shuffle_i32x4(m[i + 8], m[i + 12], 0xdd);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    m[i] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0x88);
    m[i + 8] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0xdd);
    m[i + 4] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0x88);
    m[i + 12] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0xdd);
  }
}

inline __mmask32 words_of(std::size_t left) { return left >= 32 ? 0xffffffffU : (1U << left) - 1; }

void pack_keys(const Attention& a, std::size_t head, std::uint32_t* out) {
  const std::size_t pairs = pairs_of(a.width);
  const std::uint16_t* from = a.qkv + (a.heads + head) * a.width;
  for (std::size_t t = 0; t < a.tokens; ++t, from += a.qkv_stride, out += pairs) {
    for (std::size_t i = 0; i < a.width; i += 32) {
      const __m512i row = _mm512_maskz_loadu_epi16(words_of(a.width - i), from + i);
      _mm512_mask_storeu_epi32(out + i / 2, static_cast<__mmask16>(words_of(pairs - i / 2)), row);
    }
  }
}

// Pairs of two rows: the first in the low half of each lane.
inline __m512i pair_up(__m512i first, __m512i second) {
  return _mm512_or_si512(first, _mm512_slli_epi32(second, 16));
}

void pack_values(const Attention& a, std::size_t head, std::uint32_t* out) {
  const std::uint16_t* from = a.qkv + (2 * a.heads + head) * a.width;
  for (std::size_t t = 0; t < a.tokens; t += 2, from += 2 * a.qkv_stride, out += a.width) {
    for (std::size_t i = 0; i < a.width; i += kLanes) {
      const auto mask = static_cast<__mmask16>(words_of(a.width - i));
      const auto wide = [&](const std::uint16_t* row) {
        return _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, row + i));
      };
      const __m512i second = t + 1 < a.tokens ? wide(from + a.qkv_stride) : _mm512_setzero_si512();
      _mm512_mask_storeu_epi32(out + i, mask, pair_up(wide(from), second));
    }
  }
}

// Queries first..first+count-1 as [pairs][vectors * kLanes]; lanes past count are zero.
void pack_queries(const Attention& a, std::size_t head, std::size_t first, std::size_t count,
                  std::size_t vectors, std::uint32_t* out) {
  const std::size_t row_lanes = vectors * kLanes;
  for (std::size_t v = 0; v < vectors; ++v) {
    for (std::size_t i = 0; i < a.width; i += 2 * kLanes) {
      __m512i block[16];
#pragma GCC unroll 16
      for (std::size_t r = 0; r < 16; ++r) {
        const std::size_t query = v * kLanes + r;
        block[r] = query < count ? _mm512_maskz_loadu_epi16(
                                       words_of(a.width - i),
                                       a.qkv + (first + query) * a.qkv_stride + head * a.width + i)
                                 : _mm512_setzero_si512();
      }
      transpose16(block);
#pragma GCC unroll 16
      for (std::size_t r = 0; r < 16; ++r)
        _mm512_storeu_si512(out + (i / 2 + r) * row_lanes + v * kLanes, block[r]);
    }
  }
}

// sums[r][v] += over steps: broadcast pair a[r * row + k * step] times the pairs b[k][v].
template <std::size_t kRows, std::size_t kVectors>
inline void add_dots(__m512 (&sums)[kRows][kVectors], const std::uint32_t* a, std::size_t row,
                     std::size_t step, const std::uint32_t* b, std::size_t steps) {
  for (std::size_t k = 0; k < steps; ++k, a += step, b += kVectors * kLanes) {
    __m512i column[kVectors];
#pragma GCC unroll 4
    for (std::size_t v = 0; v < kVectors; ++v)
      column[v] = load_groups(reinterpret_cast<const std::byte*>(b + v * kLanes));
#pragma GCC unroll 16
    for (std::size_t r = 0; r < kRows; ++r) {
      const __m512i value = broadcast_group(reinterpret_cast<const std::byte*>(a + r * row));
#pragma GCC unroll 4
      for (std::size_t v = 0; v < kVectors; ++v) dot_bf16(sums[r][v], value, column[v]);
    }
  }
}

template <std::size_t kVectors>
struct Block {
  const Attention& a;
  const Scratch& s;
  __m512 top[kVectors];   // of each query, so far
  __m512 sum[kVectors];   // of the probabilities, relative to top
  std::size_t key_first;  // the block of keys at hand
  std::size_t keys;
};

template <std::size_t kVectors, std::size_t kRows>
[[gnu::noinline]] void score_tile(Block<kVectors>& block, std::size_t key,
                                  __m512 (&top)[kVectors]) {
  const std::size_t pairs = pairs_of(block.a.width);
  __m512 sums[kRows][kVectors] = {};
  add_dots<kRows, kVectors>(sums, block.s.keys + (block.key_first + key) * pairs, pairs, 1,
                            block.s.queries, pairs);
  float* out = block.s.scores + key * kVectors * kLanes;
#pragma GCC unroll 4
  for (std::size_t v = 0; v < kVectors; ++v) {
    __m512 most = top[v];
#pragma GCC unroll 16
    for (std::size_t r = 0; r < kRows; ++r) {
      most = _mm512_max_ps(most, sums[r][v]);
      _mm512_storeu_ps(out + (r * kVectors + v) * kLanes, sums[r][v]);
    }
    top[v] = most;
  }
}

template <std::size_t kVectors, std::size_t kRows>
[[gnu::noinline]] void answer_tile(Block<kVectors>& block, std::size_t first,
                                   const __m512 (&correction)[kVectors]) {
  __m512 sums[kRows][kVectors];
  float* out = block.s.answers + first * kVectors * kLanes;
#pragma GCC unroll 16
  for (std::size_t r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (std::size_t v = 0; v < kVectors; ++v)
      sums[r][v] = _mm512_mul_ps(_mm512_loadu_ps(out + (r * kVectors + v) * kLanes), correction[v]);
  }
  add_dots<kRows, kVectors>(sums, block.s.values + block.key_first / 2 * block.a.width + first, 1,
                            block.a.width, reinterpret_cast<const std::uint32_t*>(block.s.scores),
                            (block.keys + 1) / 2);
#pragma GCC unroll 16
  for (std::size_t r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (std::size_t v = 0; v < kVectors; ++v)
      _mm512_storeu_ps(out + (r * kVectors + v) * kLanes, sums[r][v]);
  }
}

// The most rows whose accumulators fit the registers.
template <std::size_t kVectors>
constexpr std::size_t kRowsMax = kVectors == 1 ? 16 : 24 / kVectors;

template <std::size_t kVectors, std::size_t kRows, class Tile>
void in_tiles(std::size_t first, std::size_t count, Tile tile) {
  for (; count >= kRows; first += kRows, count -= kRows) tile.template operator()<kRows>(first);
  if constexpr (kRows > 1) in_tiles<kVectors, (kRows > 4 ? 4 : kRows / 2)>(first, count, tile);
}

// Words 0, 16, 1, 17, ...
inline __m512i interleaving() {
  const __m512i first = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  return _mm512_or_si512(first,
                         _mm512_slli_epi32(_mm512_add_epi32(first, _mm512_set1_epi32(16)), 16));
}

// Scores to probabilities, in pairs of keys, over the same memory: a pair is written where the
// scores of both have been read.
template <std::size_t kVectors>
void soften(Block<kVectors>& block) {
  float* scores = block.s.scores;
  const __m512i order = interleaving();
  for (std::size_t key = 0; key < block.keys; key += 2) {
    const float* from = scores + key * kVectors * kLanes;
    float* to = scores + key / 2 * kVectors * kLanes;
#pragma GCC unroll 4
    for (std::size_t v = 0; v < kVectors; ++v) {
      const __m512 first = exp2_of(_mm512_sub_ps(_mm512_loadu_ps(from + v * kLanes), block.top[v]));
      __m512 second = _mm512_setzero_ps();
      if (key + 1 < block.keys) {
        second =
            exp2_of(_mm512_sub_ps(_mm512_loadu_ps(from + (kVectors + v) * kLanes), block.top[v]));
      }
      block.sum[v] = _mm512_add_ps(block.sum[v], _mm512_add_ps(first, second));
      // Both as bf16 halves of one register, then lane by lane.
      const auto halves = reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(second, first));
      _mm512_storeu_si512(to + v * kLanes, _mm512_permutexvar_epi16(order, halves));
    }
  }
}

// answers / sum, turned into rows of the context.
template <std::size_t kVectors>
void write_answers(Block<kVectors>& block, std::size_t head, std::size_t first, std::size_t count) {
  const Attention& a = block.a;
  for (std::size_t v = 0; v < kVectors; ++v) {
    const __m512 share = _mm512_div_ps(_mm512_set1_ps(1.0f), block.sum[v]);
    for (std::size_t i = 0; i < a.width; i += kLanes) {
      __m512i turned[16];
#pragma GCC unroll 16
      for (std::size_t r = 0; r < 16; ++r) {
        turned[r] = _mm512_castps_si512(_mm512_mul_ps(
            _mm512_loadu_ps(block.s.answers + ((i + r) * kVectors + v) * kLanes), share));
      }
      transpose16(turned);
      const auto mask = static_cast<__mmask16>(words_of(a.width - i));
      for (std::size_t r = 0; r < 16 && v * kLanes + r < count; ++r) {
        float* row = a.context + (first + v * kLanes + r) * a.context_stride + head * a.width + i;
        _mm512_mask_storeu_epi32(row, mask, turned[r]);
      }
    }
  }
}

template <std::size_t kVectors>
void attend_keys(Block<kVectors>& block) {
  __m512 top[kVectors], correction[kVectors];
  for (std::size_t v = 0; v < kVectors; ++v) top[v] = block.top[v];
  in_tiles<kVectors, kRowsMax<kVectors>>(0, block.keys, [&]<std::size_t kRows>(std::size_t key) {
    score_tile<kVectors, kRows>(block, key, top);
  });
  for (std::size_t v = 0; v < kVectors; ++v) {
    correction[v] = exp2_of(_mm512_sub_ps(block.top[v], top[v]));
    block.sum[v] = _mm512_mul_ps(block.sum[v], correction[v]);
    block.top[v] = top[v];
  }
  soften(block);
  in_tiles<kVectors, kRowsMax<kVectors>>(0, block.a.width, [&]<std::size_t kRows>(std::size_t at) {
    answer_tile<kVectors, kRows>(block, at, correction);
  });
}

template <std::size_t kVectors>
void attend_queries(const Attention& a, const Scratch& s, std::size_t head, std::size_t first,
                    std::size_t count) {
  pack_queries(a, head, first, count, kVectors, s.queries);
  const std::size_t answers = round_up(a.width, kLanes) * kVectors * kLanes;
  for (std::size_t i = 0; i < answers; i += kLanes)
    _mm512_storeu_ps(s.answers + i, _mm512_setzero_ps());
  Block<kVectors> block{a, s, {}, {}, 0, 0};
  for (std::size_t v = 0; v < kVectors; ++v) {
    block.top[v] = _mm512_set1_ps(-1e30f);  // below any score; its square overflows nothing
    block.sum[v] = _mm512_setzero_ps();
  }
  for (std::size_t key = 0; key < a.tokens; key += kKeyBlock) {
    block.key_first = key;
    block.keys = a.tokens - key < kKeyBlock ? a.tokens - key : kKeyBlock;
    attend_keys(block);
  }
  write_answers(block, head, first, count);
}

}  // namespace

void attend_avx512(const Attention& a) {
  const Scratch s = divide(a);
  for (std::size_t head = 0; head < a.heads; ++head) {
    pack_keys(a, head, s.keys);
    pack_values(a, head, s.values);
    for (std::size_t first = a.query_first; first < a.query_end;) {
      const std::size_t left = a.query_end - first;
      const std::size_t count = left < kQueryBlock ? left : kQueryBlock;
      switch ((count + kLanes - 1) / kLanes) {
        case 1:
          attend_queries<1>(a, s, head, first, count);
          break;
        case 2:
          attend_queries<2>(a, s, head, first, count);
          break;
        case 3:
          attend_queries<3>(a, s, head, first, count);
          break;
        default:
          attend_queries<4>(a, s, head, first, count);
          break;
      }
      first += count;
    }
  }
}

}  // namespace signalbox::tensor
#endif
