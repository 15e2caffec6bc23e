// A classifier of words on top of the base: a small convolutional network over each word's hidden
// states and shape, then the best sequence of labels. Labels are types in BIO form ("B-PERSON",
// "I-PERSON", "O"). Made by train/pii.py; the format stands in models/pii/README.md.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "encoder/safetensors.h"
#include "tensor/kernels.h"
#include "tensor/linear.h"

namespace signalbox::encoder {

// What a token head must have been made for.
struct TokenBase {
  std::size_t states = 0;  // hidden states of the base, the embedding layer included
  std::size_t hidden = 0;
  std::string fingerprint;  // of the base's weights
};

// Consecutive words of one type.
struct TaggedRun {
  std::size_t begin = 0;  // index of the first word
  std::size_t end = 0;    // behind the last word
  std::size_t type = 0;   // index in TokenHead::types()
  float confidence = 0;   // geometric mean over the words of the probability of the type
};

class TokenHead {
 public:
  // Reads meta.json and head.safetensors of a directory. Errors: kIo (files missing), kCorrupt
  // (damaged, or made for other weights or features).
  static Result<TokenHead> load(const std::string& directory, const TokenBase& base,
                                const tensor::Kernels& kernels);

  // Hidden states of the base that a word's input is made of, in this order: their means over the
  // word's pieces, then kShapeFeatures numbers (word_shape.h).
  std::span<const std::size_t> states() const { return states_; }
  std::size_t inputs() const { return inputs_; }
  // Label 0 is "none"; type i has labels 1 + 2i (begins) and 2 + 2i (goes on).
  std::size_t labels() const { return 1 + 2 * types_.size(); }
  std::span<const std::string> types() const { return types_; }
  // A run of a lower confidence should not be shown.
  float threshold(std::size_t type) const { return thresholds_[type]; }
  const std::string& version() const { return version_; }

  // Probabilities of the labels of neighbouring words: [words][labels()], from [words][inputs()].
  // Cost: about 0.4 million multiplications a word.
  std::vector<float> classify(const float* inputs, std::size_t words) const;

  // The runs of the likeliest valid label sequence, in text order. `breaks[i]` is true where a line
  // ends between word i - 1 and word i: only types that may run over several lines (addresses) go on
  // there. Linear in the words.
  std::vector<TaggedRun> read(std::span<const float> probabilities,
                              const std::vector<bool>& breaks) const;

 private:
  struct Convolution {
    std::vector<int> taps;  // offsets in words
    tensor::Linear dense;
  };
  TokenHead() = default;
  Result<void> read_meta(const std::string& text, const TokenBase& base);
  Result<void> read_network(const Safetensors& file, const tensor::Kernels& kernels);
  void convolve(const Convolution& layer, std::vector<float>& values, std::size_t words) const;

  const tensor::Kernels* kernels_ = nullptr;
  std::string version_;
  std::vector<std::string> types_;
  std::vector<float> thresholds_;
  std::vector<bool> multi_line_;  // by type
  std::vector<std::size_t> states_;
  std::size_t inputs_ = 0;
  std::size_t width_ = 0;  // of the hidden layers
  tensor::Linear first_, last_;
  std::vector<Convolution> convolutions_;
};

}  // namespace signalbox::encoder
