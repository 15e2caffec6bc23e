#include "config/legacy/shape.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "config/legacy/flat.h"
#include "config/load.h"
#include "config/tables/tables.h"

namespace signalbox::config {
namespace {

constexpr std::string_view kHelmKey = "config";

bool is_canonical_key(std::string_view key) { return document_schema().find(key) != nullptr; }
// Keys that both the canonical and the flat shape have say nothing about the generation.
bool is_shared_key(std::string_view key) { return key == "listeners" || key == "signalbox"; }

bool has_scores(const Node& categories) {
  return std::ranges::any_of(categories.items, [](const Node& category) {
    return category.find("model_scores") != nullptr || category.find("system_prompt") != nullptr;
  });
}

Generation generation_of(const Node& body) {
  for (const auto& entry : body.entries) {
    if (is_canonical_key(entry.key) && !is_shared_key(entry.key)) return Generation::kCanonicalV03;
  }
  if (body.find("decisions") != nullptr) return Generation::kFlatDecisions;
  const Node* categories = body.find("categories");
  if (categories != nullptr && has_scores(*categories)) return Generation::kPerCategory;
  const bool flat =
      std::ranges::any_of(body.entries, [](const auto& entry) { return is_flat_key(entry.key); });
  return flat ? Generation::kFlatDecisions : Generation::kCanonicalV03;
}

void set_origins(Node& body, std::string_view prefix) {
  for (auto& entry : body.entries) entry.value.origin = fmt::format("{}{}", prefix, entry.key);
}

// The chart's other keys are the chart's business; only our own block is read from beside `config`.
Node take_helm_body(Node root, Reader& reader) {
  Node body = root.take(kHelmKey);
  set_origins(body, "config.");
  std::string ignored;
  Mark first;
  for (auto& entry : root.entries) {
    if (entry.key == "signalbox") {
      if (body.find("signalbox") != nullptr) {
        reader.error("contradiction", entry.mark,
                     "signalbox stands both inside config and beside it", "keep one");
        continue;
      }
      body.entries.push_back(std::move(entry));
      continue;
    }
    if (is_canonical_key(entry.key) || is_flat_key(entry.key)) {
      reader.error("misplaced-key", entry.mark, fmt::format("'{}' stands beside config", entry.key),
                   "in Helm values the configuration is all under config");
      continue;
    }
    if (first.line == 0) first = entry.mark;
    ignored += fmt::format("{}{}", ignored.empty() ? "" : ", ", entry.key);
  }
  if (!ignored.empty()) reader.note(first, fmt::format("Helm values: not read here: {}", ignored));
  return body;
}

// A key of an older generation in a canonical file gets the place it has today, not a guess at a typing error.
void refuse_flat_keys(Node& tree, Reader& reader) {
  std::erase_if(tree.entries, [&](const Node::Entry& entry) {
    if (is_canonical_key(entry.key) || !is_flat_key(entry.key)) return false;
    const Reader::Scope scope(reader, entry.key, entry.value);
    reader.error("older-generation", entry.mark,
                 fmt::format("'{}' belongs to an older generation", entry.key),
                 fmt::format("in v0.3 it is {}", canonical_place(entry.key)));
    return true;
  });
}

}  // namespace

Shape to_canonical(Node root, Reader& reader) {
  Shape shape;
  const Node* inner = root.find(kHelmKey);
  shape.helm = inner != nullptr && inner->is_map();
  Node body = shape.helm ? take_helm_body(std::move(root), reader) : std::move(root);
  shape.generation = generation_of(body);
  if (shape.generation == Generation::kCanonicalV03) {
    refuse_flat_keys(body, reader);
    shape.tree = std::move(body);
    return shape;
  }
  reader.note(
      {1, 1},
      fmt::format(
          "read as the {} generation; signalbox config migrate prints it in the present form",
          generation_words(shape.generation)));
  if (!shape.helm) set_origins(body, "");
  shape.tree = flat_to_canonical(std::move(body), shape.generation, reader);
  return shape;
}

}  // namespace signalbox::config
