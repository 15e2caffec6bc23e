#include "tensor/dot_kernels.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "tensor/activations.h"
#include "tensor/bf16.h"
#include "tensor/packed_weights.h"
#include "tensor/testing.h"

namespace signalbox::tensor {
namespace {

using testing::noise;

double gelu(double x) { return 0.5 * x * std::erfc(-x / std::sqrt(2.0)); }

class DotTable : public ::testing::TestWithParam<const DotKernels*> {};

INSTANTIATE_TEST_SUITE_P(OfThisCpu, DotTable,
                         ::testing::ValuesIn(runnable_dot_kernels().begin(),
                                             runnable_dot_kernels().end()),
                         [](const auto& info) { return std::string(info.param->name); });

// A layer of random weights applied to random rows, with what each result should be.
struct Layer {
  Layer(const DotKernels& kernels, Precision precision, std::size_t depth, std::size_t columns,
        std::size_t rows)
      : weights(precision, depth, columns),
        w(noise(columns * depth, 1)),
        bias(noise(columns, 2)),
        x(noise(rows * depth, 3, 2.0f)) {
    for (std::size_t n = 0; n < columns; ++n) weights.set_output(n, &w[n * depth], bias[n], 0.5f);
    a.resize(precision, kernels, rows, depth);
    for (std::size_t r = 0; r < rows; ++r) a.set_row(r, &x[r * depth]);
    for (std::size_t i = 0; i < rows * columns; ++i) {
      double sum = static_cast<double>(bias[i % columns]);
      for (std::size_t k = 0; k < depth; ++k) {
        sum += static_cast<double>(x[i / columns * depth + k]) *
               static_cast<double>(w[i % columns * depth + k]);
      }
      wanted.push_back(sum / 2);
    }
  }
  Product product(std::size_t rows, Store store, void* c, std::size_t c_stride) const {
    Product p = weights.product();
    a.fill(p, 0, rows);
    p.store = store;
    p.c = c;
    p.c_stride = c_stride;
    return p;
  }

  PackedWeights weights;
  Activations a;
  std::vector<float> w, bias, x;
  std::vector<double> wanted;
};

// Runs the product with every way of storing and compares with the definition, within `tolerance`
// per square root of the depth, and bf16's rounding where that is stored.
void check_layer(const DotKernels& kernels, Precision precision, std::size_t depth,
                 std::size_t columns, std::size_t rows, double tolerance) {
  const Layer layer(kernels, precision, depth, columns, rows);
  const auto gemm = precision == Precision::kInt8 ? kernels.gemm_int8 : kernels.gemm_bf16;
  const double near = tolerance * std::sqrt(static_cast<double>(depth)) + 2e-4;
  const std::size_t stride = columns + 3;
  for (const Store store : {Store::kFloat, Store::kGelu, Store::kBf16, Store::kGeluBf16}) {
    const bool halves = store == Store::kBf16 || store == Store::kGeluBf16;
    if (halves && !kernels.has_bf16()) continue;
    std::vector<float> floats(rows * stride, 77.0f);
    std::vector<std::uint16_t> bf16s(rows * stride, to_bf16(77.0f));
    gemm(layer.product(rows, store, halves ? static_cast<void*>(bf16s.data()) : floats.data(),
                       stride));
    for (std::size_t i = 0; i < rows * stride; ++i) {
      const float y = halves ? from_bf16(bf16s[i]) : floats[i];
      if (i % stride >= columns) {
        ASSERT_EQ(y, 77.0f) << "wrote between the rows";
        continue;
      }
      double wanted = layer.wanted[i / stride * columns + i % stride];
      if (store == Store::kGelu || store == Store::kGeluBf16) wanted = gelu(wanted);
      ASSERT_NEAR(y, wanted, near + (halves ? std::abs(wanted) / 256 : 0))
          << "rows " << rows << " columns " << columns << " depth " << depth << " at " << i;
    }
  }
}

TEST_P(DotTable, Int8LayersEqualTheDefinitionForEveryTileRemainder) {
  for (const std::size_t columns : {1, 15, 16, 17, 63, 64, 100, 130}) {
    for (const std::size_t depth : {1, 3, 4, 7, 64, 390}) {
      for (const std::size_t rows : {1, 2, 3, 4, 5, 6, 7, 11, 13})
        check_layer(*GetParam(), Precision::kInt8, depth, columns, rows, 8e-3);
    }
  }
}

TEST_P(DotTable, Bf16LayersEqualTheDefinitionForEveryTileRemainder) {
  if (!GetParam()->has_bf16()) return;  // the table has no such kernel
  for (const std::size_t columns : {1, 15, 16, 17, 63, 64, 100, 130}) {
    for (const std::size_t depth : {1, 2, 3, 7, 64, 390}) {
      for (const std::size_t rows : {1, 2, 3, 4, 5, 6, 7, 11, 13})
        check_layer(*GetParam(), Precision::kBf16, depth, columns, rows, 6e-3);
    }
  }
}

// The sums are whole numbers, so that only the last float operations may differ.
TEST_P(DotTable, Int8EqualsTheScalarReferenceToTheLastBits) {
  for (const std::size_t depth : {5, 384, 1536}) {
    const Layer layer(scalar_dot_kernels(), Precision::kInt8, depth, 70, 7);
    std::vector<float> ours(7 * 70), reference(7 * 70);
    GetParam()->gemm_int8(layer.product(7, Store::kFloat, ours.data(), 70));
    scalar_dot_kernels().gemm_int8(layer.product(7, Store::kFloat, reference.data(), 70));
    for (std::size_t i = 0; i < ours.size(); ++i)
      ASSERT_NEAR(ours[i], reference[i], 1e-5 * (1 + std::abs(reference[i])));
  }
}

// 255 * 127 over a long depth: pairs of products leave 16 bits, sums must not.
TEST_P(DotTable, Int8SumsDoNotSaturate) {
  const std::size_t depth = 3072;
  PackedWeights weights(Precision::kInt8, depth, 1);
  const std::vector<float> ones(depth, 1.0f);
  weights.set_output(0, ones.data(), 0);
  std::vector<float> x(depth, 1.0f);
  x[0] = 0.0f;  // the range is 0..1, so every other level is 255
  Activations a;
  a.resize(Precision::kInt8, *GetParam(), 1, depth);
  a.set_row(0, x.data());
  Product p = weights.product();
  a.fill(p, 0, 1);
  float y = 0;
  p.c = &y;
  p.c_stride = 1;
  GetParam()->gemm_int8(p);
  EXPECT_NEAR(y, static_cast<float>(depth - 1), 0.5f);
}

TEST_P(DotTable, QuantisedRowsAreHalfAStepFromTheirValues) {
  for (const std::size_t count : {1, 2, 15, 16, 17, 33, 384, 1537}) {
    auto x = noise(count, count, 3.0f);
    x[count / 2] += 1.5f;
    std::vector<std::uint8_t> levels(count + kDotRowMultiple);
    float scale = 0, zero = 0;
    GetParam()->quantise(x.data(), count, levels.data(), &scale, &zero);
    for (std::size_t i = 0; i < count; ++i)
      ASSERT_NEAR(scale * (static_cast<float>(levels[i]) - zero), x[i], scale * 0.502f)
          << count << " at " << i;
  }
}

TEST_P(DotTable, ARowOfEqualValuesIsQuantisedExactly) {
  for (const float value : {0.0f, -3.25f, 7.5f}) {
    const std::vector<float> x(20, value);
    std::vector<std::uint8_t> levels(20 + kDotRowMultiple);
    float scale = 0, zero = 0;
    GetParam()->quantise(x.data(), x.size(), levels.data(), &scale, &zero);
    for (std::size_t i = 0; i < x.size(); ++i)
      ASSERT_EQ(scale * (static_cast<float>(levels[i]) - zero), value);
  }
}

TEST_P(DotTable, Bf16RowsAreRoundedToNearestEvenAndPaddedWithZero) {
  if (!GetParam()->has_bf16()) return;  // the table has no such kernel
  auto x = noise(37, 5, 1e3f);
  x[3] = 1.00390625f;  // halfway between two bf16 values: goes to the even one, 1.0
  std::vector<std::uint16_t> out(37 + kDotRowMultiple, 0x7fc0);
  GetParam()->to_bf16(x.data(), x.size(), out.data());
  for (std::size_t i = 0; i < x.size(); ++i) ASSERT_EQ(out[i], to_bf16(x[i])) << i;
  EXPECT_EQ(out[3], to_bf16(1.0f));
  EXPECT_EQ(out[37], 0) << "the second half of the last group";
}

// Queries, keys and values of a sequence, and attention in double precision from the definition.
struct Sequence {
  Sequence(std::size_t tokens, std::size_t heads, std::size_t width, float size)
      : tokens(tokens), heads(heads), width(width), qkv(tokens * 3 * heads * width) {
    const auto values = noise(qkv.size(), tokens + width, size);
    for (std::size_t i = 0; i < qkv.size(); ++i) qkv[i] = to_bf16(values[i]);
  }
  double at(std::size_t token, std::size_t section, std::size_t head, std::size_t i) const {
    return static_cast<double>(from_bf16(qkv[((token * 3 + section) * heads + head) * width + i]));
  }
  std::vector<double> answer(std::size_t query, std::size_t head) const {
    std::vector<double> scores(tokens), out(width);
    double top = -1e300, sum = 0;
    for (std::size_t t = 0; t < tokens; ++t) {
      for (std::size_t i = 0; i < width; ++i)
        scores[t] += at(query, 0, head, i) * at(t, 1, head, i);
      top = std::max(top, scores[t]);
    }
    for (std::size_t t = 0; t < tokens; ++t) {
      const double weight = std::exp2(scores[t] - top);
      sum += weight;
      for (std::size_t i = 0; i < width; ++i) out[i] += weight * at(t, 2, head, i);
    }
    for (double& value : out) value /= sum;
    return out;
  }

  std::size_t tokens, heads, width;
  std::vector<std::uint16_t> qkv;
};

void check_attention(const DotKernels& kernels, const Sequence& s, std::size_t first,
                     std::size_t end, double tolerance) {
  const std::size_t hidden = s.heads * s.width, stride = hidden + 5;
  std::vector<float> context(s.tokens * stride, 77.0f);
  Buffer scratch;
  const std::size_t need = attention_scratch(s.tokens, s.width);
  scratch.resize(need);
  std::fill_n(scratch.data(), need, std::nanf(""));  // nothing may depend on what was there
  kernels.attend({.qkv = s.qkv.data(),
                  .qkv_stride = 3 * hidden,
                  .tokens = s.tokens,
                  .heads = s.heads,
                  .width = s.width,
                  .query_first = first,
                  .query_end = end,
                  .context = context.data(),
                  .context_stride = stride,
                  .scratch = {scratch.data(), need}});
  for (std::size_t t = 0; t < s.tokens; ++t) {
    for (std::size_t n = 0; n < stride; ++n) {
      const float y = context[t * stride + n];
      if (t < first || t >= end || n >= hidden) {
        ASSERT_EQ(y, 77.0f) << "token " << t << " column " << n << " is not ours to write";
      } else {
        ASSERT_NEAR(y, s.answer(t, n / s.width)[n % s.width], tolerance)
            << s.tokens << " tokens, width " << s.width << ", query " << t << " column " << n;
      }
    }
  }
}

TEST_P(DotTable, AttentionEqualsTheDefinitionForEveryBlockRemainder) {
  if (!GetParam()->has_bf16()) return;  // the table has no such kernel
  for (const std::size_t tokens : {1, 2, 3, 15, 16, 17, 33, 64, 65, 129, 140}) {
    for (const std::size_t width : {1, 11, 32})
      check_attention(*GetParam(), Sequence(tokens, 2, width, 1.0f), 0, tokens, 8e-3);
  }
  check_attention(*GetParam(), Sequence(40, 1, 64, 1.0f), 0, 40, 8e-3);
  check_attention(*GetParam(), Sequence(270, 1, 8, 1.0f), 0, 270, 8e-3);
}

TEST_P(DotTable, AttentionWritesOnlyTheQueriesItWasGiven) {
  if (!GetParam()->has_bf16()) return;  // the table has no such kernel
  const Sequence sequence(150, 2, 12, 1.0f);
  check_attention(*GetParam(), sequence, 8, 40, 8e-3);
  check_attention(*GetParam(), sequence, 70, 150, 8e-3);
}

TEST_P(DotTable, AttentionSurvivesScoresOfHundreds) {
  if (!GetParam()->has_bf16()) return;  // the table has no such kernel
  check_attention(*GetParam(), Sequence(200, 1, 16, 12.0f), 0, 200, 0.15);
}

TEST(DotKernels, TheScalarReferenceAlwaysRunsAndTheBestIsTheLast) {
  ASSERT_FALSE(runnable_dot_kernels().empty());
  EXPECT_EQ(runnable_dot_kernels().front(), &scalar_dot_kernels());
  EXPECT_EQ(runnable_dot_kernels().back(), &best_dot_kernels());
}

}  // namespace
}  // namespace signalbox::tensor
