// The numbers of a text head beside its tensors: meta.json, and calibration.json on top of it.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"

namespace signalbox::encoder {

// What a head must have been made for.
struct HeadBase {
  std::size_t states = 0;  // PooledStates::count()
  std::size_t hidden = 0;
  std::string fingerprint;  // of the base's weights
};

// A second, linear network that reads the states of a pass through adapted top layers.
struct AdaptedPart {
  std::string adapter;      // name of the adapter's file, without extension; empty: no such part
  std::string fingerprint;  // of the adapter's tensors
  std::vector<std::size_t> states;  // pooled states of that pass, each scaled to length 1
  float weight = 0;                 // of its probabilities in the mix, 0..1
};

// A threshold and what it did on the calibration rows.
struct OperatingPoint {
  std::string name;
  double threshold = 0;
  double false_positive_rate = 0;
  double true_positive_rate = 0;
};

// How the windows of a long text become one answer.
enum class Windows : std::uint8_t { kMean, kHighestScore };

struct HeadMeta {
  std::string version;
  std::vector<std::string> labels;
  // Of a detector: indices of the labels that it is there to find. Empty for other heads.
  std::vector<std::size_t> positive;
  std::vector<std::size_t> states;  // pooled states that feed the network, each scaled to length 1
  Windows windows = Windows::kMean;
  // Of a detector: tokens of the stretches of a window that the network judges beside the whole (plan_segments()); the
  // worst verdict counts. 0: none. The odds of a finding in a stretch are multiplied by segment_odds: the network sees
  // many, and each without what surrounds it.
  std::size_t segment_tokens = 0;
  float segment_odds = 1;

  // Neighbours of the last mean state: how many vote, with exp(similarity * sharpness), and the
  // share of the vote in the mix, 0..1. No votes at weight 0.
  std::size_t nearest = 0;
  float sharpness = 0;
  float weight = 0;

  AdaptedPart adapted;
  float words_weight =
      0;  // share of the word model (word_model.h) in the mix, 0..1; 0: there is none

  // Logarithms of the mix are divided by temperature * exp(temperature_slope * (s - 0.5)), s the mean similarity of the
  // neighbours that vote: near ones agree more often than they are right.
  float temperature = 1, temperature_slope = 0;
  // A detector's raw score and what it really means, both rising; empty: taken as it is.
  std::vector<std::pair<float, float>> isotonic;

  double threshold = 0.5;  // a detector's score from here on is a finding
  // Scores in [abstain_low, abstain_high) are too uncertain to act on; no band where both are 0.
  double abstain_low = 0, abstain_high = 0;
  std::vector<OperatingPoint> operating_points;

  // Errors: kCorrupt (naming the key), also when made for another base.
  static Result<HeadMeta> parse(const std::string& text, const HeadBase& base);
  // Takes what a calibration.json states: threshold, temperature, abstain. Errors: kCorrupt, also
  // when it was made for another version of the head; the meta is unchanged then.
  Result<void> apply_calibration(const std::string& text);
};

}  // namespace signalbox::encoder
