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

TEST(Route, ActsOnConfidentVerdictsOnly) {
  const std::vector<Judged> rows{{0, 0, 0.9f}, {1, 1, 0.7f}, {1, 0, 0.65f}, {0, 1, 0.3f}};
  const Routed sure = route(rows, 0.6);
  EXPECT_DOUBLE_EQ(sure.coverage, 0.75);
  EXPECT_DOUBLE_EQ(sure.accuracy, 2 / 3.0);
  EXPECT_DOUBLE_EQ(route(rows, 0).coverage, 1);
  EXPECT_DOUBLE_EQ(route(rows, 0.95).accuracy, 0);
}

TEST(Detector, FiguresOfASmallExampleAreTheOnesCountedByHand) {
  const std::vector<Scored> rows{
      {0.9f, true}, {0.8f, false}, {0.6f, true}, {0.6f, false}, {0.2f, false}};
  const DetectorFigures figures = evaluate_detector(rows, 0.7);
  EXPECT_DOUBLE_EQ(figures.auroc, (3 + 1.5) / 6);
  EXPECT_DOUBLE_EQ(figures.tpr_at_threshold, 0.5);
  EXPECT_DOUBLE_EQ(figures.fpr_at_threshold, 1 / 3.0);
  EXPECT_DOUBLE_EQ(figures.tpr_at_1fpr, 0.5);
  EXPECT_DOUBLE_EQ(figures.accuracy, 3 / 5.0);
  EXPECT_EQ(figures.positives, 2u);
}

TEST(Detector, TheThresholdAtARateKeepsTheRate) {
  std::vector<Scored> rows;
  for (int i = 0; i < 200; ++i) rows.push_back({static_cast<float>(i) / 200, false});
  for (const double rate : {0.0, 0.01, 0.05, 0.5}) {
    const double threshold = threshold_at(rows, rate);
    const double above = evaluate_detector(rows, threshold).fpr_at_threshold;
    EXPECT_LE(above, rate);
    EXPECT_GE(above, rate - 0.0051);
  }
  EXPECT_DOUBLE_EQ(threshold_at({}, 0.01), 0);
}

TEST(Detector, WithoutBothKindsThereIsNoCurve) {
  const std::vector<Scored> rows{{0.9f, true}};
  EXPECT_DOUBLE_EQ(evaluate_detector(rows, 0.5).auroc, 0);
  EXPECT_DOUBLE_EQ(evaluate_detector({}, 0.5).fpr_at_threshold, 0);
}

}  // namespace
}  // namespace signalbox::encoder
