#include "tensor/kernels.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "base/random.h"
#include "tensor/linear.h"
#include "tensor/testing.h"

namespace signalbox::tensor {
namespace {

using testing::noise;

class KernelTable : public ::testing::TestWithParam<const Kernels*> {};

INSTANTIATE_TEST_SUITE_P(OfThisCpu, KernelTable,
                         ::testing::ValuesIn(runnable_kernels().begin(), runnable_kernels().end()),
                         [](const auto& info) {
                           std::string name(info.param->name);
                           for (char& c : name) c = c == '-' ? '_' : c;
                           return name;
                         });

// A product in double precision straight from the definition, with no panels and no tiles.
float expected(const std::vector<float>& a, const std::vector<float>& w, float bias,
               std::size_t row, std::size_t column, std::size_t depth, Activation activation) {
  double sum = bias;
  for (std::size_t k = 0; k < depth; ++k) {
    sum += static_cast<double>(a[row * depth + k]) * static_cast<double>(w[column * depth + k]);
  }
  if (activation == Activation::kGelu) sum = 0.5 * sum * (1 + std::erf(sum / std::sqrt(2.0)));
  return static_cast<float>(sum);
}

TEST_P(KernelTable, LinearLayerEqualsTheDefinitionForEveryTileRemainder) {
  for (const std::size_t columns : {1, 14, 31, 32, 33, 96, 100}) {
    for (const std::size_t depth : {1, 7, 64}) {
      Linear layer(*GetParam(), depth, columns);
      const auto weights = noise(columns * depth, 1);
      const auto bias = noise(columns, 2);
      for (std::size_t n = 0; n < columns; ++n) layer.set_output(n, &weights[n * depth], bias[n]);
      for (std::size_t rows = 1; rows <= 27; ++rows) {
        const auto a = noise(rows * depth, 3);
        for (const Activation activation : {Activation::kNone, Activation::kGelu}) {
          std::vector<float> c(rows * columns + 1, 77.0f);
          layer.apply(a.data(), depth, rows, c.data(), columns, activation);
          for (std::size_t i = 0; i < rows * columns; ++i) {
            ASSERT_NEAR(c[i],
                        expected(a, weights, bias[i % columns], i / columns, i % columns, depth,
                                 activation),
                        2e-5)
                << "rows " << rows << " columns " << columns << " depth " << depth << " at " << i;
          }
          ASSERT_EQ(c.back(), 77.0f) << "wrote past the end";
        }
      }
    }
  }
}

TEST_P(KernelTable, LinearLayerLeavesTheGapBetweenRowsAlone) {
  const std::size_t rows = 13, depth = 8, columns = 40, stride = 50;
  Linear layer(*GetParam(), depth, columns);
  const auto weights = noise(columns * depth, 4);
  for (std::size_t n = 0; n < columns; ++n) layer.set_output(n, &weights[n * depth], 0);
  const auto a = noise(rows * depth, 5);
  std::vector<float> c(rows * stride, 77.0f);
  layer.apply(a.data(), depth, rows, c.data(), stride);
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t n = columns; n < stride; ++n) ASSERT_EQ(c[row * stride + n], 77.0f);
  }
}

TEST_P(KernelTable, GeluFollowsErfFromTailToTail) {
  Linear identity(*GetParam(), 1, 1);
  const float one = 1;
  identity.set_output(0, &one, 0);
  for (float x = -20; x <= 20; x += 0.0137f) {
    float y = 0;
    identity.apply(&x, 1, 1, &y, 1, Activation::kGelu);
    const double wanted = 0.5 * x * std::erfc(-static_cast<double>(x) / std::sqrt(2.0));
    ASSERT_NEAR(y, wanted, 2e-6 + 1e-6 * std::abs(wanted)) << x;
  }
}

TEST_P(KernelTable, SoftmaxSumsToOneAndSurvivesHugeValues) {
  for (std::size_t count = 1; count <= 70; ++count) {
    auto row = noise(count, count, 30.0f);
    row[count / 2] = 80.0f;
    if (count > 2) row[0] = -1e30f;
    std::vector<double> wanted(count);
    double sum = 0;
    for (std::size_t i = 0; i < count; ++i)
      sum += wanted[i] = std::exp(static_cast<double>(row[i]) - 80.0);
    GetParam()->softmax(row.data(), count);
    for (std::size_t i = 0; i < count; ++i)
      ASSERT_NEAR(row[i], wanted[i] / sum, 1e-6) << count << " at " << i;
  }
}

TEST_P(KernelTable, LayerNormEqualsTheDefinition) {
  for (const std::size_t count : {1, 5, 16, 17, 384, 390}) {
    const auto x = noise(count, 6, 3.0f), residual = noise(count, 7, 2.0f);
    const auto scale = noise(count, 8), shift = noise(count, 9);
    double mean = 0, variance = 0;
    for (std::size_t i = 0; i < count; ++i) mean += static_cast<double>(x[i] + residual[i]) / count;
    for (std::size_t i = 0; i < count; ++i)
      variance += std::pow(x[i] + residual[i] - mean, 2) / count;
    std::vector<float> out(count);
    GetParam()->layer_norm(x.data(), residual.data(), scale.data(), shift.data(), 1e-5f, count,
                           out.data());
    for (std::size_t i = 0; i < count; ++i) {
      const double wanted =
          (x[i] + residual[i] - mean) / std::sqrt(variance + 1e-5) * scale[i] + shift[i];
      ASSERT_NEAR(out[i], wanted, 1e-5) << count << " at " << i;
    }
  }
}

TEST_P(KernelTable, LayerNormWorksInPlaceAndWithoutResidual) {
  auto x = noise(50, 10);
  const std::vector<float> scale(50, 1.0f), shift(50, 0.0f);
  std::vector<float> apart(50);
  GetParam()->layer_norm(x.data(), nullptr, scale.data(), shift.data(), 1e-5f, 50, apart.data());
  GetParam()->layer_norm(x.data(), nullptr, scale.data(), shift.data(), 1e-5f, 50, x.data());
  EXPECT_EQ(x, apart);
}

TEST_P(KernelTable, ByteDotProductEqualsTheDefinition) {
  for (std::size_t count = 1; count <= 80; ++count) {
    Random random(count);
    std::vector<std::int8_t> a(count);
    for (auto& value : a)
      value = static_cast<std::int8_t>(static_cast<int>(random.below(256)) - 128);
    const auto b = noise(count, 11);
    double wanted = 0;
    for (std::size_t i = 0; i < count; ++i)
      wanted += static_cast<double>(a[i]) * static_cast<double>(b[i]);
    ASSERT_NEAR(GetParam()->dot_i8(a.data(), b.data(), count), wanted, 1e-2);
  }
}

TEST(Kernels, TheScalarReferenceAlwaysRunsAndTheBestIsTheLast) {
  ASSERT_FALSE(runnable_kernels().empty());
  EXPECT_EQ(runnable_kernels().front(), &scalar_kernels());
  EXPECT_EQ(runnable_kernels().back(), &best_kernels());
}

}  // namespace
}  // namespace signalbox::tensor
