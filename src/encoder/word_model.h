// A linear classifier on the words and word pairs of a text, beside the network of a head: it knows the rare words that
// states of a whole text blur. Features are hashed into a table of int8 weights. Made by train/text_head.py.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "encoder/safetensors.h"

namespace signalbox::encoder {

class WordModel {
 public:
  WordModel() = default;
  // Tensors words.weights I8 [buckets, labels], words.scales F32 [labels], words.bias F32 [labels], words.rarity F16
  // [buckets]; buckets is a power of two. Errors: kCorrupt.
  static Result<WordModel> read(const Safetensors& file, std::size_t labels);

  bool empty() const { return bias_.empty(); }
  // Probability of each label, sum 1. Looks at the first limits::kEncoderTokensMax words and marks. Cost: about 20 ns a
  // feature.
  std::vector<float> classify(std::string_view text) const;

  // The hashes of a text's features, in order and with repetitions: each word in lower case (ASCII), each mark, each pair
  // of neighbours, the first five code points of longer words, and of words in Chinese characters and the like each pair
  // of characters. As train/heads.py has them.
  static std::vector<std::uint32_t> features(std::string_view text);

 private:
  std::size_t buckets_ = 0;
  std::vector<std::int8_t> weights_;  // [buckets][labels]
  std::vector<float> scales_, bias_;  // [labels]
  std::vector<float> rarity_;         // [buckets], logarithm of one over the share of texts
};

}  // namespace signalbox::encoder
