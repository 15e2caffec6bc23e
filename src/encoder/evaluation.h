// How good a classifier is on a labelled file: the figures of `signalbox eval`.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace signalbox::encoder {

struct Judged {
  int label = 0;         // what the file says, 0..labels-1
  int predicted = 0;     // the most probable label
  float confidence = 0;  // its probability
};

struct LabelFigures {
  double precision = 0;  // 0 when never predicted
  double recall = 0;     // 0 without support
  double f1 = 0;
  std::size_t support = 0;  // rows with this label
};

struct Figures {
  std::size_t n = 0;
  double accuracy = 0;
  double macro_f1 = 0;  // mean of f1 over the labels that occur in the file
  double ece = 0;       // expected calibration error over kCalibrationBins equal bins of confidence
  double mean_confidence = 0;
  std::vector<LabelFigures> labels;
};

inline constexpr int kCalibrationBins = 15;

// All zero for no rows.
Figures evaluate(std::span<const Judged> rows, std::size_t labels);

}  // namespace signalbox::encoder
