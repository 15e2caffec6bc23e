// A classifier of whole texts on top of the base: a small network on pooled hidden states, perhaps
// mixed with the votes of the nearest training examples, then calibrated. Any set of labels; what a
// head is stands in its meta.json. Made by train/; the format is described in models/README.md.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "encoder/head_meta.h"
#include "encoder/pooled_states.h"
#include "encoder/safetensors.h"
#include "encoder/word_model.h"
#include "tensor/kernels.h"
#include "tensor/linear.h"

namespace signalbox::encoder {

class TextHead {
 public:
  // Reads meta.json and head.safetensors of a directory, and calibration.json where `signalbox
  // calibrate` left one for this version of the head. Errors: kIo (files missing), kCorrupt
  // (damaged, or made for other weights).
  static Result<TextHead> load(const std::string& directory, const HeadBase& base,
                               const tensor::Kernels& kernels);

  // The labels and thresholds of a judge outside; cannot classify.
  static TextHead labels_only(HeadMeta meta);
  TextHead() = default;

  // What a head looks at.
  struct Input {
    const PooledStates& states;
    // Of the pass through the layers of meta().adapted; null where the head has no such part.
    const PooledStates* adapted = nullptr;
    std::span<const float> words = {};  // what judge_words() said of the whole text
    // Of the stretches that plan_segments() gives for meta().segment_tokens.
    std::span<const PooledStates> segments = {};
  };
  // Calibrated probability of each of labels(), sum 1. Cost: one small network, and hidden * examples
  // multiplications for the neighbours (0.1 to 0.6 ms at 20,000).
  std::vector<float> classify(const Input& input) const;
  // What the text's words alone say; empty where the head does not ask them.
  std::vector<float> judge_words(std::string_view text) const;

  const std::vector<std::string>& labels() const { return meta_.labels; }
  const std::string& version() const { return meta_.version; }
  const HeadMeta& meta() const { return meta_; }

  // What is compared with thresholds, 0..1: the probability of a detector's positive labels
  // together, else the highest probability.
  float score(std::span<const float> probabilities) const;

 private:
  struct Neighbours {
    std::size_t count = 0;             // examples; 0: nobody votes
    std::vector<std::int8_t> keys;     // [count][hidden]
    std::vector<float> scales;         // [count]; key * scale has length about 1
    std::vector<std::uint8_t> labels;  // [count]
  };
  using Network = std::vector<tensor::Linear>;  // GELU between the layers
  // Layers "NAME.0", "NAME.1", ... on `states` pooled states.
  Result<Network> read_network(const Safetensors& file, const std::string& name,
                               std::size_t states) const;
  Result<void> read_neighbours(const Safetensors& file);
  // Probabilities [rows][labels] of each of `rows`.
  std::vector<float> run_network(const Network& network, std::span<const std::size_t> wanted,
                                 std::span<const PooledStates> rows) const;
  struct Vote {
    std::vector<float> shares;  // by label
    float similarity = 0;       // mean of those who voted
  };
  Vote vote(const float* embedding) const;
  void take_worst(std::span<const PooledStates> segments, std::vector<float>& mix) const;
  // `similarity` of the neighbours' vote.
  void calibrate(std::vector<float>& probabilities, float similarity) const;

  const tensor::Kernels* kernels_ = nullptr;
  std::size_t hidden_ = 0;
  HeadMeta meta_;
  Network dense_;    // on the base's states
  Network adapted_;  // on those of an adapted pass; empty: none
  Neighbours neighbours_;
  WordModel words_;  // empty: none
};

}  // namespace signalbox::encoder
