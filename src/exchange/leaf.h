// Leaves of rule trees after compilation: what decision/ asks for and signals/ evaluates. Both
// stages see only this list and indices into it; neither knows the other.
#pragma once

#include <cstddef>
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
  kJailbreak,
  kPii,
  kComplexity,
  kFactCheck,
  kUserFeedback,
  kTaskKind,
  kUnsupported,  // a kind of a later release: always "failed", on_error decides
};

// Evaluation goes in this order, one tier at a time; measured costs stand in
// docs/life-of-a-request.md.
enum class CostTier : std::uint8_t { kHeaders, kText, kEncoder };
CostTier cost_tier(LeafKind kind);
// "keyword", "domain", ...: the `type` of a rule leaf, and the reverse (kUnsupported when unknown).
std::string_view leaf_type(LeafKind kind);
LeafKind leaf_kind(std::string_view type);
// True for kinds that say how sure they are; the others count 1 when they match.
bool has_confidence(LeafKind kind);
inline constexpr std::size_t kLeafKindCount = static_cast<std::size_t>(LeafKind::kUnsupported) + 1;

// One signal that rules name. Where it is named, each rule says for itself what a failure counts as
// (on_error).
struct Leaf {
  LeafKind kind = LeafKind::kUnsupported;
  std::string type;  // as written
  std::string name;
};

}  // namespace signalbox::exchange
