// How a language model is asked for a label: our classifier.json beside an adapter or a model,
// {"prompt": "..{text}..", "labels": [{"name": "math", "token": " math"}, ..]}. The label whose token is
// most probable behind the prompt wins.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "tokenize/tokenizer.h"

namespace signalbox::encoder {

struct LabelPrompt {
  std::string before, behind;  // of the text
  std::vector<std::string> names;
  std::vector<std::int32_t> tokens;  // one a label, all different

  // Errors: kCorrupt (no single {text}, no labels, labels whose first tokens are the same).
  static Result<LabelPrompt> parse(std::string_view classifier_json,
                                   const tokenize::Tokenizer& tokenizer);
};

}  // namespace signalbox::encoder
