// Leaves of rule trees after compilation: what decision/ asks for and signals/ evaluates. Both stages see only this list
// and indices into it; neither knows the other.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "config/model.h"

namespace signalbox::exchange {

enum class LeafKind : std::uint8_t {
  kMetadata,
  kAuthz,
  kConversation,
  kContext,
  kStructure,
  kKeyword,
  kLanguage,
  kDomain,
  kEmbedding,
  kUnsupported,  // a kind of a later release: always "failed", on_error decides
};

// Evaluation goes in this order, one tier at a time; measured costs stand in docs/life-of-a-request.md.
enum class CostTier : std::uint8_t { kHeaders, kText, kEncoder };
CostTier cost_tier(LeafKind kind);
// "keyword", "domain", ...: the `type` of a rule leaf, and the reverse (kUnsupported when unknown).
std::string_view leaf_type(LeafKind kind);
LeafKind leaf_kind(std::string_view type);

struct Leaf {
  LeafKind kind = LeafKind::kUnsupported;
  std::string type;  // as written
  std::string name;
  config::OnError on_error = config::OnError::kNoMatch;
};

}  // namespace signalbox::exchange
