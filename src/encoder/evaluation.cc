#include "encoder/evaluation.h"

#include <algorithm>
#include <array>
#include <cmath>

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

}  // namespace signalbox::encoder
