// The keyword rung: a guess at the domain from some hundred telling words, for when the encoder is absent, late or
// overloaded. English only, as the classifier is. Better than the default model, far worse than the encoder.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "signals/literal_matcher.h"

namespace signalbox::signals {

struct DomainGuess {
  std::uint32_t label = 0;  // index of Encoder::domain_labels()
  float confidence =
      0;  // share of the domain's words among all found, damped: below 0.9 even if all agree
};

class DomainKeywords {
 public:
  static Result<DomainKeywords> compile();
  // Nothing when no word is found, or when two domains are equally likely.
  std::optional<DomainGuess> guess(std::string_view text, Scratch& scratch) const;
  const LiteralMatcher& matcher() const { return matcher_; }

  // The words of a label in one line, or empty: a description that an encoder without a domain head can compare with.
  static std::string_view words(std::string_view label);

 private:
  LiteralMatcher matcher_;
  std::vector<std::uint32_t> labels_;  // by literal
};

}  // namespace signalbox::signals
