// Nearness to example texts of two sides, for rules that judge by examples instead of a trained head: how much nearer a text
// is to the positive side (attacks, hard prompts) than to the negative one. Examples are embedded once, at load.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "encoder/encoder.h"

namespace signalbox::signals {

class Contrast {
 public:
  Contrast() = default;
  // About 3 ms an example. Errors: the encoder's own.
  static Result<Contrast> compile(std::span<const std::string> positive,
                                  std::span<const std::string> negative,
                                  const encoder::Encoder& encoder);

  bool empty() const { return positive_.empty(); }
  // Highest cosine with a positive example less the highest with a negative one (0 without any), -2..2. Nothing where the
  // embedding is missing.
  std::optional<float> score(std::span<const float> embedding) const;

 private:
  using Vectors = std::vector<std::vector<float>>;
  Vectors positive_, negative_;
};

}  // namespace signalbox::signals
