// What the requested model name means: one of ours that asks for a decision, a name that some backend serves, or nothing.
#pragma once

#include <string_view>
#include <vector>

#include "config/model.h"
#include "config/resolve.h"
#include "exchange/exchange.h"

namespace signalbox::pipeline {

enum class NameKind { kAutomatic, kConcrete, kUnknown };

struct Name {
  NameKind kind = NameKind::kUnknown;
  std::string_view recipe;               // of an entrypoint; empty: the file's own routing
  std::optional<config::Target> target;  // of a concrete name
};

// Entrypoint names win over automatic names, automatic names over models: they are what the operator wrote down as ours.
Name resolve(const config::Config& config, std::string_view requested);

// Where an automatic request may go, best first: the winner's modelRefs in order of the file (weight 0 left out), then
// nothing else. Without a winner, or if none of its refs resolves, the default model.
std::vector<exchange::Candidate> candidates_of(const config::Config& config,
                                               const exchange::Decision& decision);

// A concrete name goes where it says; its reasoning fields stay the client's. An alias is shown as the model it stands for.
exchange::Candidate candidate_of(std::string_view requested, const config::Target& target,
                                 bool is_alias = false);

}  // namespace signalbox::pipeline
