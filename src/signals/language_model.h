// Which language is a text in? Scripts of one language answer by themselves; Latin, Cyrillic, Arabic and Devanagari texts
// go to a naive Bayes model over character 1- to 5-grams of words (models/language, made by train/language.py). 75
// languages; figures in the model card. Immutable after load, shared by all threads.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "signals/words.h"

namespace signalbox::signals {

struct LanguageGuess {
  std::string_view code;  // ISO 639-1; storage of the model. Empty: no letters
  float confidence =
      0;  // calibrated probability times the share of letters in the text's main script
};

class LanguageModel {
 public:
  // Reads <models_directory>/language/model.bin. Errors: kIo (missing), kCorrupt (damaged or hostile).
  static Result<LanguageModel> load(const std::string& models_directory);
  static Result<LanguageModel> parse(std::string_view bytes);

  // Judges the first limits::kLanguageLettersMax letters. About 50 ns a letter.
  LanguageGuess detect(std::string_view text) const;

  // 32-bit hash of a feature: FNV-1a over its UTF-8 bytes, folded. The trainer computes the same.
  static std::uint32_t feature_hash(std::string_view bytes);

 private:
  // One naive Bayes model for the languages that share a script.
  struct Group {
    Script script = Script::kNone;
    std::vector<std::string> labels;
    std::vector<float> bias;  // by label
    float scale = 1;          // logit = scale * sum / (n-grams + offset)^exponent + bias
    float offset = 0;
    float exponent = 0;
    std::vector<std::uint32_t> hashes;  // ascending
    std::vector<std::uint32_t>
        starts;                        // first hash of each of kBuckets top-bit ranges, and the end
    std::vector<std::int8_t> weights;  // [hashes, labels]
    const std::int8_t* find(std::uint32_t hash) const;
  };
  class Reader;
  static Result<Group> parse_group(Reader& reader);
  LanguageGuess classify(const Group& group, std::string_view words, float share) const;
  std::vector<Group> groups_;
};

}  // namespace signalbox::signals
