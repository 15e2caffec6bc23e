// Signal "metadata": a predicate on one named value the request carries beside its text: the body's `metadata` object,
// and headers the configuration offers (signalbox.metadata_headers). An entry that ends in '-' is a prefix: key "consent"
// is read from the header prefix + "consent". Any other entry is a header name and its own key. Headers win over the body:
// a gateway sets them.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/model.h"
#include "signals/inputs.h"

namespace signalbox::signals {

class MetadataRules {
 public:
  MetadataRules() = default;
  MetadataRules(std::span<const config::MetadataRule> rules,
                std::span<const std::string> offered_headers);
  // A rule without a predicate asks for existence.
  exchange::SignalValue evaluate(std::uint32_t rule, const Inputs& inputs) const;

 private:
  struct Rule {
    config::MetadataRule rule;
    std::vector<std::string> headers;  // where else the key may stand
  };
  static std::optional<std::string_view> find(const Rule& rule, const Inputs& inputs);
  std::vector<Rule> rules_;
};

}  // namespace signalbox::signals
