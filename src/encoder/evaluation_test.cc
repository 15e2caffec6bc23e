#include "encoder/evaluation.h"

#include <gtest/gtest.h>

namespace signalbox::encoder {
namespace {

TEST(Evaluation, CountsPrecisionRecallAndF1PerLabel) {
  const Judged rows[] = {{0, 0, 1.0f}, {0, 1, 1.0f}, {1, 1, 1.0f}, {1, 1, 1.0f}};
  const auto figures = evaluate(rows, 3);
  EXPECT_EQ(figures.n, 4u);
  EXPECT_DOUBLE_EQ(figures.accuracy, 0.75);
  EXPECT_DOUBLE_EQ(figures.labels[0].precision, 1.0);
  EXPECT_DOUBLE_EQ(figures.labels[0].recall, 0.5);
  EXPECT_NEAR(figures.labels[1].precision, 2.0 / 3, 1e-12);
  EXPECT_DOUBLE_EQ(figures.labels[1].f1, 0.8);
  EXPECT_EQ(figures.labels[2].support, 0u);
  EXPECT_NEAR(figures.macro_f1, (2.0 / 3 + 0.8) / 2, 1e-12)
      << "a label that does not occur does not count";
}

TEST(Evaluation, CalibrationErrorIsTheGapBetweenConfidenceAndAccuracy) {
  const Judged sure_and_half_right[] = {{0, 0, 0.9f}, {0, 1, 0.9f}};
  EXPECT_NEAR(evaluate(sure_and_half_right, 2).ece, 0.4, 1e-6);
  const Judged honest[] = {{0, 0, 0.5f}, {0, 1, 0.5f}};
  EXPECT_NEAR(evaluate(honest, 2).ece, 0, 1e-6);
}

TEST(Evaluation, OppositeErrorsInDifferentBinsDoNotCancel) {
  const Judged rows[] = {{0, 0, 0.2f}, {0, 1, 0.8f}};
  EXPECT_NEAR(evaluate(rows, 2).ece, 0.8, 1e-6);
}

TEST(Evaluation, NoRowsGiveZeros) {
  const auto figures = evaluate({}, 2);
  EXPECT_EQ(figures.accuracy, 0);
  EXPECT_EQ(figures.macro_f1, 0);
  EXPECT_EQ(figures.ece, 0);
}

}  // namespace
}  // namespace signalbox::encoder
