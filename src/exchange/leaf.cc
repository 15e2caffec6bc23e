#include "exchange/leaf.h"

#include <array>
#include <utility>

namespace signalbox::exchange {
namespace {

constexpr std::array<std::pair<LeafKind, std::string_view>, 15> kTypes = {{
    {LeafKind::kMetadata, "metadata"},
    {LeafKind::kAuthz, "authz"},
    {LeafKind::kConversation, "conversation"},
    {LeafKind::kContext, "context"},
    {LeafKind::kStructure, "structure"},
    {LeafKind::kKeyword, "keyword"},
    {LeafKind::kLanguage, "language"},
    {LeafKind::kDomain, "domain"},
    {LeafKind::kEmbedding, "embedding"},
    {LeafKind::kJailbreak, "jailbreak"},
    {LeafKind::kPii, "pii"},
    {LeafKind::kComplexity, "complexity"},
    {LeafKind::kFactCheck, "fact_check"},
    {LeafKind::kUserFeedback, "user_feedback"},
    {LeafKind::kTaskKind, "task_kind"},
}};

}  // namespace

CostTier cost_tier(LeafKind kind) {
  switch (kind) {
    case LeafKind::kMetadata:
    case LeafKind::kAuthz:
    case LeafKind::kConversation:
    case LeafKind::kContext:
    case LeafKind::kUnsupported:
      return CostTier::kHeaders;
    case LeafKind::kStructure:
    case LeafKind::kKeyword:
    case LeafKind::kLanguage:
      return CostTier::kText;
    case LeafKind::kDomain:
    case LeafKind::kEmbedding:
    case LeafKind::kJailbreak:
    case LeafKind::kPii:
    case LeafKind::kComplexity:
    case LeafKind::kFactCheck:
    case LeafKind::kUserFeedback:
    case LeafKind::kTaskKind:
      return CostTier::kEncoder;
  }
  return CostTier::kEncoder;
}

bool has_confidence(LeafKind kind) {
  return kind == LeafKind::kLanguage ||
         (kind != LeafKind::kUnsupported && cost_tier(kind) == CostTier::kEncoder);
}

std::string_view leaf_type(LeafKind kind) {
  for (const auto& [known, type] : kTypes) {
    if (known == kind) return type;
  }
  return "unsupported";
}

LeafKind leaf_kind(std::string_view type) {
  for (const auto& [kind, known] : kTypes) {
    if (known == type) return kind;
  }
  return LeafKind::kUnsupported;
}

}  // namespace signalbox::exchange
