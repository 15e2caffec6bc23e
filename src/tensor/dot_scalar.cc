#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "tensor/bf16.h"
#include "tensor/dot_kernels.h"

namespace signalbox::tensor {
namespace {

constexpr float kLevels = 255.0f;

void write(const Product& p, std::size_t row, std::size_t column, float y) {
  const std::size_t at = row * p.c_stride + column;
  if (p.store == Store::kGelu || p.store == Store::kGeluBf16)
    y = 0.5f * y * (1.0f + std::erf(y * 0.70710678118654752f));
  switch (p.store) {
    case Store::kFloat:
    case Store::kGelu:
      static_cast<float*>(p.c)[at] = y;
      break;
    case Store::kBf16:
    case Store::kGeluBf16:
      static_cast<std::uint16_t*>(p.c)[at] = to_bf16(y);
      break;
  }
}

const std::byte* group_of(const Product& p, std::size_t group, std::size_t column) {
  return p.b + ((column / kDotPanel * p.groups + group) * kDotPanel + column % kDotPanel) *
                   kDotGroupBytes;
}

std::int32_t dot_int8(const Product& p, std::size_t row, std::size_t column) {
  std::int32_t sum = 0;
  for (std::size_t g = 0; g < p.groups; ++g) {
    const std::byte* a = p.a + row * p.a_stride + g * kDotGroupBytes;
    const std::byte* b = group_of(p, g, column);
    for (std::size_t i = 0; i < kDotGroupBytes; ++i) {
      sum += static_cast<std::int32_t>(a[i]) *
             static_cast<std::int32_t>(static_cast<std::int8_t>(b[i]));
    }
  }
  return sum;
}

void gemm_int8(const Product& p) {
  for (std::size_t row = 0; row < p.rows; ++row) {
    for (std::size_t n = 0; n < p.columns; ++n) {
      const float sum = static_cast<float>(dot_int8(p, row, n)) - p.a_zero[row] * p.b_sum[n];
      write(p, row, n, sum * p.a_scale[row] * p.b_scale[n] + p.bias[n]);
    }
  }
}

void gemm_bf16(const Product& p) {
  for (std::size_t row = 0; row < p.rows; ++row) {
    for (std::size_t n = 0; n < p.columns; ++n) {
      float sum = 0;
      for (std::size_t g = 0; g < p.groups; ++g) {
        std::uint16_t a[2], b[2];
        std::memcpy(a, p.a + row * p.a_stride + g * kDotGroupBytes, sizeof a);
        std::memcpy(b, group_of(p, g, n), sizeof b);
        sum += from_bf16(a[0]) * from_bf16(b[0]) + from_bf16(a[1]) * from_bf16(b[1]);
      }
      write(p, row, n, sum + p.bias[n]);
    }
  }
}

void quantise(const float* x, std::size_t count, std::uint8_t* out, float* scale, float* zero) {
  const auto [low, high] = std::minmax_element(x, x + count);
  *scale = *high > *low ? (*high - *low) / kLevels : 1.0f;
  const float inverse = 1.0f / *scale;
  *zero = -*low * inverse;
  for (std::size_t i = 0; i < count; ++i) {
    const float level = std::nearbyint(x[i] * inverse + *zero);
    out[i] = static_cast<std::uint8_t>(level > 0 ? std::min(level, kLevels) : 0.0f);
  }
}

void round_row(const float* x, std::size_t count, std::uint16_t* out) {
  for (std::size_t i = 0; i < count; ++i) out[i] = to_bf16(x[i]);
  if (count % 2 != 0) out[count] = 0;
}

// One query of one head: probabilities are rounded to bf16 before they weigh the values, as the
// fast kernels do.
void attend_one(const Attention& a, std::size_t query, std::size_t head, std::vector<float>& row) {
  const std::size_t section = a.heads * a.width;
  const std::uint16_t* q = a.qkv + query * a.qkv_stride + head * a.width;
  const std::uint16_t* keys = a.qkv + section + head * a.width;
  const std::uint16_t* values = keys + section;
  row.assign(a.tokens, 0.0f);
  for (std::size_t t = 0; t < a.tokens; ++t) {
    for (std::size_t i = 0; i < a.width; ++i)
      row[t] += from_bf16(q[i]) * from_bf16(keys[t * a.qkv_stride + i]);
  }
  const float top = *std::max_element(row.begin(), row.end());
  float sum = 0;
  for (float& score : row) sum += score = std::exp2(score - top);
  float* out = a.context + query * a.context_stride + head * a.width;
  std::fill_n(out, a.width, 0.0f);
  for (std::size_t t = 0; t < a.tokens; ++t) {
    const float weight = from_bf16(to_bf16(row[t]));
    for (std::size_t i = 0; i < a.width; ++i)
      out[i] += weight * from_bf16(values[t * a.qkv_stride + i]);
  }
  for (std::size_t i = 0; i < a.width; ++i) out[i] /= sum;
}

void attend(const Attention& a) {
  std::vector<float> row;
  for (std::size_t query = a.query_first; query < a.query_end; ++query) {
    for (std::size_t head = 0; head < a.heads; ++head) attend_one(a, query, head, row);
  }
}

constexpr DotKernels kTable{"scalar", gemm_int8, quantise, gemm_bf16, round_row, attend};

}  // namespace

const DotKernels& scalar_dot_kernels() { return kTable; }

}  // namespace signalbox::tensor
