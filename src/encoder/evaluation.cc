#include "encoder/evaluation.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>

namespace signalbox::encoder {
namespace {

double share(double part, double whole) { return whole > 0 ? part / whole : 0; }

double calibration_error(std::span<const Judged> rows) {
  struct Bin {
    double right = 0;
    double confidence = 0;
  };
  std::array<Bin, kCalibrationBins> bins;
  for (const Judged& row : rows) {
    const int index = static_cast<int>(row.confidence * static_cast<float>(kCalibrationBins));
    Bin& bin = bins[static_cast<std::size_t>(std::clamp(index, 0, kCalibrationBins - 1))];
    bin.right += row.label == row.predicted ? 1 : 0;
    bin.confidence += static_cast<double>(row.confidence);
  }
  double sum = 0;
  for (const Bin& bin : bins) sum += std::abs(bin.right - bin.confidence);
  return share(sum, static_cast<double>(rows.size()));
}

}  // namespace

Figures evaluate(std::span<const Judged> rows, std::size_t labels) {
  Figures figures;
  figures.n = rows.size();
  figures.labels.resize(labels);
  std::vector<double> predicted(labels, 0.0), right(labels, 0.0);
  double all_right = 0, confidence = 0;
  for (const Judged& row : rows) {
    ++figures.labels[static_cast<std::size_t>(row.label)].support;
    ++predicted[static_cast<std::size_t>(row.predicted)];
    confidence += static_cast<double>(row.confidence);
    if (row.label != row.predicted) continue;
    ++right[static_cast<std::size_t>(row.label)];
    ++all_right;
  }
  double f1_sum = 0, present = 0;
  for (std::size_t i = 0; i < labels; ++i) {
    LabelFigures& label = figures.labels[i];
    const auto support = static_cast<double>(label.support);
    label.precision = share(right[i], predicted[i]);
    label.recall = share(right[i], support);
    label.f1 = share(2 * right[i], predicted[i] + support);
    f1_sum += label.support > 0 ? label.f1 : 0;
    present += label.support > 0 ? 1 : 0;
  }
  const auto n = static_cast<double>(rows.size());
  figures.accuracy = share(all_right, n);
  figures.mean_confidence = share(confidence, n);
  figures.macro_f1 = share(f1_sum, present);
  figures.ece = calibration_error(rows);
  return figures;
}

Routed route(std::span<const Judged> rows, double threshold) {
  double taken = 0, right = 0;
  for (const Judged& row : rows) {
    if (static_cast<double>(row.confidence) < threshold) continue;
    taken += 1;
    right += row.label == row.predicted ? 1 : 0;
  }
  return {share(taken, static_cast<double>(rows.size())), share(right, taken)};
}

namespace {

// Share of the rows of one kind with a score of at least the threshold.
double found(std::span<const Scored> rows, bool positive, double threshold) {
  double all = 0, above = 0;
  for (const Scored& row : rows) {
    if (row.positive != positive) continue;
    all += 1;
    above += static_cast<double>(row.score) >= threshold ? 1 : 0;
  }
  return share(above, all);
}

double area_under_curve(std::span<const Scored> rows) {
  std::vector<Scored> sorted(rows.begin(), rows.end());
  std::ranges::sort(sorted, {}, &Scored::score);
  double in_order = 0, negatives = 0, positives = 0;
  for (std::size_t begin = 0, end = 0; begin < sorted.size(); begin = end) {
    double tied_positives = 0, tied_negatives = 0;
    for (; end < sorted.size() && sorted[end].score == sorted[begin].score; ++end)
      (sorted[end].positive ? tied_positives : tied_negatives) += 1;
    in_order += tied_positives * (negatives + tied_negatives / 2);
    negatives += tied_negatives;
    positives += tied_positives;
  }
  return share(in_order, positives * negatives);
}

}  // namespace

double threshold_at(std::span<const Scored> rows, double false_positive_rate) {
  std::vector<float> negatives;
  for (const Scored& row : rows) {
    if (!row.positive) negatives.push_back(row.score);
  }
  std::ranges::sort(negatives, std::greater<>());
  const auto allowed =
      static_cast<std::size_t>(false_positive_rate * static_cast<double>(negatives.size()));
  if (allowed >= negatives.size()) return 0;
  // Just above the first negative that may no longer be found.
  return static_cast<double>(std::nextafter(negatives[allowed], 2.0f));
}

DetectorFigures evaluate_detector(std::span<const Scored> rows, double threshold) {
  DetectorFigures figures;
  figures.n = rows.size();
  std::vector<Judged> judged, bins;
  for (const Scored& row : rows) {
    figures.positives += row.positive ? 1 : 0;
    const int finding = static_cast<double>(row.score) >= threshold ? 1 : 0;
    judged.push_back({.label = row.positive ? 1 : 0, .predicted = finding});
    bins.push_back({.label = row.positive ? 1 : 0, .predicted = 1, .confidence = row.score});
  }
  const Figures at_threshold = evaluate(judged, 2);
  figures.accuracy = at_threshold.accuracy;
  figures.macro_f1 = at_threshold.macro_f1;
  figures.ece = calibration_error(bins);
  figures.auroc = area_under_curve(rows);
  figures.tpr_at_1fpr = found(rows, true, threshold_at(rows, 0.01));
  figures.tpr_at_5fpr = found(rows, true, threshold_at(rows, 0.05));
  figures.tpr_at_threshold = found(rows, true, threshold);
  figures.fpr_at_threshold = found(rows, false, threshold);
  return figures;
}

}  // namespace signalbox::encoder
