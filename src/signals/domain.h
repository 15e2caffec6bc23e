// Signal "domain": which of the classifier's labels describes the last user message best, and which rules cover it.
// The verdict comes from the encoder's head, from description embeddings where the base model has no head, or from
// keywords; the rung is recorded in the verdict.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/model.h"
#include "encoder/encoder.h"
#include "signals/inputs.h"

namespace signalbox::signals {

struct DomainVerdict {
  std::string_view category;  // a label; empty when nothing is known
  float confidence = 0;
  exchange::Rung rung = exchange::Rung::kNone;
};

class Domains {
 public:
  // `threshold` 0..1: below it the encoder's verdict is not taken; the category is then `fallback_category` or none.
  Domains(std::span<const config::DomainRule> rules, float threshold,
          std::string fallback_category);
  Domains() = default;

  // Rule index of a leaf; a name that is no rule but a label of the classifier gets a rule of its own.
  std::optional<std::uint32_t> find_or_add(std::string_view name);

  // From probabilities over Encoder::domain_labels().
  DomainVerdict judge(std::span<const float> probabilities, exchange::Rung rung) const;
  // kFailed without a category where nothing could be judged (rung kDefault), else match or not.
  exchange::SignalValue evaluate(std::uint32_t rule, const DomainVerdict& verdict) const;

  // Vectors to compare with when the encoder has no domain head; index as Encoder::domain_labels().
  void set_prototypes(std::vector<std::vector<float>> prototypes) {
    prototypes_ = std::move(prototypes);
  }
  bool has_prototypes() const { return !prototypes_.empty(); }
  // Probabilities from cosine similarities, for judge(). Empty without prototypes.
  std::vector<float> compare(std::span<const float> embedding) const;

  float threshold() const { return threshold_; }

 private:
  struct Rule {
    std::string name;
    std::vector<std::string> labels;
  };
  std::vector<Rule> rules_;
  float threshold_ = 0;
  std::string fallback_category_;
  std::vector<std::vector<float>> prototypes_;
};

// Labels as people write them: case does not matter, '_' and '-' read as a space.
bool same_label(std::string_view a, std::string_view b);

}  // namespace signalbox::signals
