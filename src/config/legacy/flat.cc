#include "config/legacy/flat.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.h"
#include "config/legacy/categories.h"
#include "config/legacy/models.h"

namespace signalbox::config {
namespace {

struct Move {
  std::string_view from;  // dotted where it stood under another key
  std::string_view to;
};

constexpr auto kMoves = std::to_array<Move>({
    {"listeners", "listeners"},
    {"signalbox", "signalbox"},
    {"default_model", "providers.defaults.default_model"},
    {"reasoning_families", "providers.defaults.reasoning_families"},
    {"default_reasoning_effort", "providers.defaults.default_reasoning_effort"},
    {"categories", "routing.signals.domains"},
    {"keyword_rules", "routing.signals.keywords"},
    {"embedding_rules", "routing.signals.embeddings"},
    {"fact_check_rules", "routing.signals.fact_check"},
    {"user_feedback_rules", "routing.signals.user_feedbacks"},
    {"reask_rules", "routing.signals.reasks"},
    {"preference_rules", "routing.signals.preferences"},
    {"language_rules", "routing.signals.language"},
    {"context_rules", "routing.signals.context"},
    {"structure_rules", "routing.signals.structure"},
    {"complexity_rules", "routing.signals.complexity"},
    {"modality_rules", "routing.signals.modality"},
    {"role_bindings", "routing.signals.role_bindings"},
    {"jailbreak", "routing.signals.jailbreak"},
    {"pii", "routing.signals.pii"},
    {"kb", "routing.signals.kb"},
    {"conversation", "routing.signals.conversation"},
    {"events", "routing.signals.events"},
    {"metadata", "routing.signals.metadata"},
    {"classifiers", "routing.signals.classifiers"},
    {"projections", "routing.projections"},
    {"decisions", "routing.decisions"},
    {"strategy", "routing.strategy"},
    {"config_source", "global.router.config_source"},
    {"auto_model_name", "global.router.auto_model_name"},
    {"auto_model_names", "global.router.auto_model_names"},
    {"include_config_models_in_list", "global.router.include_config_models_in_list"},
    {"clear_route_cache", "global.router.clear_route_cache"},
    {"skip_processing", "global.router.skip_processing"},
    {"model_selection", "global.router.model_selection"},
    {"learning", "global.router.learning"},
    {"streamed_body_mode", "global.router.streamed_body.enabled"},
    {"max_streamed_body_bytes", "global.router.streamed_body.max_bytes"},
    {"streamed_body_timeout_sec", "global.router.streamed_body.timeout_sec"},
    {"api", "global.services.api"},
    {"response_api", "global.services.response_api"},
    {"observability", "global.services.observability"},
    {"authz", "global.services.authz"},
    {"ratelimit", "global.services.ratelimit"},
    {"management_api", "global.services.management_api"},
    {"router_replay", "global.services.router_replay"},
    {"startup_status", "global.services.startup_status"},
    {"semantic_cache", "global.stores.response_cache"},
    {"memory", "global.stores.memory"},
    {"vector_store", "global.stores.vector_store"},
    {"tools", "global.integrations.tools"},
    {"looper", "global.integrations.looper"},
    {"embedding_models", "global.model_catalog.embeddings.semantic"},
    {"external_models", "global.model_catalog.external"},
    {"knowledge_bases", "global.model_catalog.kbs"},
    {"classifier.category_model", "global.model_catalog.modules.classifier.domain"},
    {"classifier.pii_model", "global.model_catalog.modules.classifier.pii"},
    {"classifier.mcp_category_model", "global.model_catalog.modules.classifier.mcp"},
    {"classifier.preference_model", "global.model_catalog.modules.classifier.preference"},
    {"complexity_model", "global.model_catalog.modules.complexity"},
    {"prompt_compression", "global.model_catalog.modules.prompt_compression"},
    {"prompt_guard", "global.model_catalog.modules.prompt_guard"},
    {"feedback_detector", "global.model_catalog.modules.feedback_detector"},
    {"modality_detector", "global.model_catalog.modules.modality_detector"},
    {"hallucination_mitigation.enabled",
     "global.model_catalog.modules.hallucination_mitigation.enabled"},
    {"hallucination_mitigation.on_hallucination_detected",
     "global.model_catalog.modules.hallucination_mitigation.on_hallucination_detected"},
    {"hallucination_mitigation.fact_check_model",
     "global.model_catalog.modules.hallucination_mitigation.fact_check"},
    {"hallucination_mitigation.hallucination_model",
     "global.model_catalog.modules.hallucination_mitigation.detector"},
    {"hallucination_mitigation.nli_model",
     "global.model_catalog.modules.hallucination_mitigation.explainer"},
});

// Keys with a conversion of their own.
constexpr auto kConverted = std::to_array<Move>({
    {"model_config", "providers.models and routing.modelCards"},
    {"vllm_endpoints", "providers.models[].backend_refs"},
    {"provider_profiles", "providers.models[].backend_refs"},
});

// Keys without a counterpart: they chose between models and code paths of the replaced system.
constexpr auto kGone = std::to_array<Move>({
    {"bert_model", "Signalbox brings its own encoder"},
    {"router", "there is one classifier path"},
    {"mom_registry", "models are not downloaded"},
    {"image_gen_backends", "image generation is not supported yet"},
});

std::string_view top(std::string_view path) { return path.substr(0, path.find('.')); }

std::vector<std::string_view> flat_keys() {
  std::vector<std::string_view> keys;
  for (const auto& move : kMoves) {
    if (keys.empty() || keys.back() != top(move.from)) keys.push_back(top(move.from));
  }
  for (const auto& move : kConverted) keys.push_back(move.from);
  for (const auto& move : kGone) keys.push_back(move.from);
  return keys;
}

// Puts a value at a path, keeping the line of its key.
void put(Node& tree, std::string_view path, Node::Entry entry) {
  const auto dot = path.rfind('.');
  Node& parent = dot == std::string_view::npos
                     ? tree
                     : at_path(tree, path.substr(0, dot), entry.mark, entry.value.origin);
  const auto key = dot == std::string_view::npos ? path : path.substr(dot + 1);
  parent.kind = Node::Kind::kMap;
  parent.entries.push_back({std::string(key), entry.mark, std::move(entry.value)});
}

// Moves one top-level entry; `prefix.` rows of kMoves take it apart. Returns false when no row knows the key.
bool move_entry(Node& tree, Node::Entry& entry, Reader& reader) {
  bool known = false;
  const std::string inside = entry.key + ".";
  for (const auto& move : kMoves) {
    if (move.from == entry.key) {
      put(tree, move.to, std::move(entry));
      return true;
    }
    if (!move.from.starts_with(inside)) continue;
    known = true;
    const auto key = move.from.substr(inside.size());
    const auto found = std::ranges::find(entry.value.entries, key, &Node::Entry::key);
    if (found == entry.value.entries.end()) continue;
    found->value.origin = fmt::format("{}.{}", entry.value.origin, key);
    put(tree, move.to, std::move(*found));
    entry.value.entries.erase(found);
  }
  if (!known) return false;
  const Reader::Scope scope(reader, entry.key, entry.value);
  std::vector<std::string_view> keys;
  for (const auto& move : kMoves) {
    if (move.from.starts_with(inside)) keys.push_back(move.from.substr(inside.size()));
  }
  for (const auto& rest : entry.value.entries) reader.unknown_key(rest, keys);
  return true;
}

// Plugins of the flat generations hold prompts and settings as v0.3 does; only the old top-level names differ.
void move_rest(Node& tree, Node& body, Reader& reader) {
  for (auto& entry : body.entries) {
    if (entry.value.is_null() || move_entry(tree, entry, reader)) continue;
    const auto gone = std::ranges::find(kGone, entry.key, &Move::from);
    const Reader::Scope scope(reader, entry.key, entry.value);
    if (gone != kGone.end()) {
      reader.note(entry.mark, fmt::format("has no effect: {}", gone->to));
    } else if (entry.key == "semantic-cache" || entry.key == "response_cache" ||
               entry.key == "response-cache") {
      put(tree, "global.stores.response_cache", std::move(entry));
    } else {
      reader.unknown_key(entry, flat_keys());
    }
  }
}

}  // namespace

bool is_flat_key(std::string_view key) { return !canonical_place(key).empty(); }

std::string_view canonical_place(std::string_view key) {
  for (const auto& move : kMoves) {
    if (top(move.from) == key) return move.to;
  }
  for (const auto& move : kConverted) {
    if (move.from == key) return move.to;
  }
  return std::ranges::find(kGone, key, &Move::from) == kGone.end() ? std::string_view()
                                                                   : "nowhere, remove it";
}

Node& at_path(Node& tree, std::string_view path, Mark mark, std::string_view origin) {
  Node* node = &tree;
  for (const auto key : split(path, '.')) {
    node->kind = Node::Kind::kMap;
    Node* next = node->find(key);
    if (next == nullptr) {
      next = &node->set(
          key, Node{.kind = Node::Kind::kMap, .mark = mark, .origin = std::string(origin)});
    }
    node = next;
  }
  return *node;
}

Node flat_to_canonical(Node body, Generation generation, Reader& reader) {
  Node tree{.kind = Node::Kind::kMap};
  tree.set("version", scalar_node("v0.3", {}));
  convert_models(body, tree, reader);
  if (generation == Generation::kPerCategory) convert_categories(body, tree, reader);
  move_rest(tree, body, reader);
  return tree;
}

}  // namespace signalbox::config
