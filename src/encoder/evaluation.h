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

// What a router does that acts on verdicts of at least this confidence.
struct Routed {
  double coverage = 0;  // share of the rows that it acts on
  double accuracy = 0;  // of those; 0 for none
};
Routed route(std::span<const Judged> rows, double threshold);

struct Scored {
  float score = 0;        // 0..1
  bool positive = false;  // what the file says
};

// A detector: a score of at least the threshold is a finding.
struct DetectorFigures {
  std::size_t n = 0;
  std::size_t positives = 0;
  double auroc =
      0;  // share of pairs of a positive and a negative in order, ties half; 0 without one
  double tpr_at_1fpr = 0;  // highest share found where at most 1 % of the negatives are
  double tpr_at_5fpr = 0;
  double tpr_at_threshold = 0;
  double fpr_at_threshold = 0;
  double accuracy = 0;  // at the threshold, as macro_f1
  double macro_f1 = 0;
  double ece = 0;  // of the score as a probability
};
DetectorFigures evaluate_detector(std::span<const Scored> rows, double threshold);

// The lowest threshold with at most this share of the negatives at or above it; above every score
// where even the highest negative is too many. 0 without negatives.
double threshold_at(std::span<const Scored> rows, double false_positive_rate);

}  // namespace signalbox::encoder
