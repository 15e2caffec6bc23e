#include "config/validate.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/text.h"
#include "config/labels.h"
#include "config/resolve.h"
#include "config/tables/tables.h"

namespace signalbox::config {
namespace {

using Names = std::vector<std::string_view>;

// Finds problems and the lines for them; lives for one validation.
class Validator {
 public:
  Validator(const Config& config, const std::string& file) : config_(config), file_(file) {}

  void run(const Node& tree);
  std::vector<Finding> take() { return std::move(findings_); }

 private:
  void add(std::string code, Mark mark, std::string path, std::string message,
           std::string remedy = {}) {
    findings_.push_back({Severity::kError, std::move(code), file_, mark.line, mark.column,
                         std::move(path), std::move(message), std::move(remedy)});
  }
  void providers(const Node& tree);
  void routing(const Routing& routing, const Node& tree, const std::string& path);
  void signal_names(const Node& signals, const std::string& path);
  void rule(const RuleNode& node, const std::string& path);
  void model_refs(const Decision& decision, const Node& written, const std::string& path);
  void recipes(const Node& tree);
  static Names model_names(const Config& config);

  const Config& config_;
  const std::string& file_;
  std::vector<Finding> findings_;
  std::map<std::string, std::set<std::string, std::less<>>, std::less<>>
      signals_;  // leaf type -> names
};

Mark mark_of(const Node& map, std::string_view key) {
  const auto* entry = map.entry(key);
  return entry != nullptr ? entry->mark : map.mark;
}

const Node& under(const Node& map, std::string_view key) {
  static const Node nothing;
  const auto* found = map.find(key);
  return found != nullptr ? *found : nothing;
}

std::string path_of(const Node& node, std::string fallback) {
  return node.origin.empty() ? fallback : node.origin;
}

std::string suggestion(std::string_view name, const Names& known, std::string_view what) {
  if (const auto meant = did_you_mean(name, known))
    return fmt::format("did you mean '{}'?", *meant);
  if (known.empty()) return fmt::format("the file defines no {}", what);
  std::string list = fmt::format("{} known:", what);
  for (std::size_t i = 0; i < known.size() && i < 20; ++i)
    list += fmt::format("{} {}", i ? "," : "", known[i]);
  return list;
}

// "needs_reasoning:hard" is a level of needs_reasoning.
std::string_view base_name(std::string_view name) { return name.substr(0, name.rfind(':')); }

void Validator::run(const Node& tree) {
  providers(tree);
  routing(config_.routing, under(tree, "routing"), "routing");
  recipes(tree);
}

Names Validator::model_names(const Config& config) {
  Names names;
  for (const auto& model : config.providers.models) {
    names.push_back(model.name);
    for (const auto& lora : model.loras) names.push_back(lora.name);
  }
  return names;
}

void Validator::providers(const Node& tree) {
  const Node& providers = under(tree, "providers");
  const Node& defaults = under(providers, "defaults");
  const auto& default_model = config_.providers.default_model;
  if (!default_model.empty() && !resolve_name(config_, default_model)) {
    add("unknown-model", mark_of(defaults, "default_model"), "providers.defaults.default_model",
        fmt::format("no model or adapter is called '{}'", default_model),
        suggestion(default_model, model_names(config_), "models"));
  }
  Names families;
  for (const auto& [name, family] : config_.providers.reasoning_families) families.push_back(name);
  std::map<std::string_view, int> seen;
  const Node& models = under(providers, "models");
  for (std::size_t i = 0; i < models.items.size(); ++i) {
    const Node& written = models.items[i];
    const auto path = path_of(written, fmt::format("providers.models[{}]", i));
    const auto name = written.text("name");
    const auto [earlier, fresh] = seen.emplace(name, written.mark.line);
    if (!fresh) {
      add("duplicate-name", written.mark, path,
          fmt::format("model '{}' stands twice, first in line {}", name, earlier->second),
          "join them");
    }
    const auto family = written.text("reasoning_family");
    if (!family.empty() && std::ranges::find(families, family) == families.end()) {
      add("unknown-family", mark_of(written, "reasoning_family"), path + ".reasoning_family",
          fmt::format("no reasoning family is called '{}'", family),
          suggestion(family, families, "families"));
    }
  }
}

void Validator::signal_names(const Node& signals, const std::string& path) {
  signals_.clear();
  for (const std::string_view kind : kTaskKinds) signals_["task_kind"].emplace(kind);
  for (const auto& entry : signals.entries) {
    const auto type = leaf_type_of(entry.key);
    auto& names = signals_[std::string(type)];
    for (std::size_t i = 0; i < entry.value.items.size(); ++i) {
      const Node& item = entry.value.items[i];
      auto name = item.text("name");
      if (name.empty()) name = item.text("category");
      if (name.empty() || names.emplace(name).second) continue;
      add("duplicate-name", item.mark, path_of(item, fmt::format("{}.{}[{}]", path, entry.key, i)),
          fmt::format("signal '{}' stands twice", name), "rename one of them");
    }
  }
}

void Validator::rule(const RuleNode& node, const std::string& path) {
  for (std::size_t i = 0; i < node.children.size(); ++i) {
    rule(node.children[i], fmt::format("{}.conditions[{}]", path, i));
  }
  if (node.op != RuleOperator::kLeaf || node.name.empty()) return;
  const auto kind = signals_.find(node.type);
  Names types;
  for (const auto& [type, names] : signals_) types.push_back(type);
  if (kind == signals_.end()) {
    add("unknown-signal", {node.line, 0}, path,
        fmt::format("no signal of type '{}' is defined", node.type),
        suggestion(node.type, types, "types"));
    return;
  }
  if (kind->second.contains(node.name) || kind->second.contains(base_name(node.name))) return;
  const Names names(kind->second.begin(), kind->second.end());
  add("unknown-signal", {node.line, 0}, path,
      fmt::format("no {} signal is called '{}'", node.type, node.name),
      suggestion(node.name, names, "signals"));
}

void Validator::model_refs(const Decision& decision, const Node& written, const std::string& path) {
  const Node& refs = under(written, "modelRefs");
  for (std::size_t i = 0; i < decision.model_refs.size() && i < refs.items.size(); ++i) {
    const auto& ref = decision.model_refs[i];
    const auto at = fmt::format("{}.modelRefs[{}]", path, i);
    const auto target = resolve_name(config_, ref.model);
    if (!target) {
      add("unknown-model", mark_of(refs.items[i], "model"), at + ".model",
          fmt::format("no model or adapter is called '{}'", ref.model),
          suggestion(ref.model, model_names(config_), "models"));
    }
  }
}

void Validator::routing(const Routing& routing, const Node& tree, const std::string& path) {
  signal_names(under(tree, "signals"), path + ".signals");
  const Node& mappings = under(under(tree, "projections"), "mappings");
  for (const auto& mapping : mappings.items) {
    for (const auto& output : under(mapping, "outputs").items)
      signals_["projection"].emplace(output.text("name"));
  }
  std::map<std::string_view, int> seen;
  const Node& decisions = under(tree, "decisions");
  for (std::size_t i = 0; i < routing.decisions.size() && i < decisions.items.size(); ++i) {
    const auto& decision = routing.decisions[i];
    const Node& written = decisions.items[i];
    const auto at = path_of(written, fmt::format("{}.decisions[{}]", path, i));
    const auto [earlier, fresh] = seen.emplace(decision.name, decision.line);
    if (!fresh) {
      add("duplicate-name", written.mark, at,
          fmt::format("decision '{}' stands twice, first in line {}", decision.name,
                      earlier->second),
          "rename one of them");
    }
    rule(decision.rules, at + ".rules");
    model_refs(decision, written, at);
  }
}

void Validator::recipes(const Node& tree) {
  const Node& recipes = under(tree, "recipes");
  Names names = {"default"};
  for (std::size_t i = 0; i < config_.recipes.size() && i < recipes.items.size(); ++i) {
    const auto path = fmt::format("recipes[{}]", i);
    const std::string_view name = config_.recipes[i].name;
    if (std::ranges::find(names, name) != names.end()) {
      add("duplicate-name", recipes.items[i].mark, path,
          fmt::format("recipe '{}' stands twice", name),
          "rename it; 'default' is the file's own routing");
    }
    names.push_back(name);
    routing(config_.recipes[i].routing, under(recipes.items[i], "routing"), path + ".routing");
  }
  const Node& entrypoints = under(tree, "entrypoints");
  std::set<std::string_view> models;
  for (std::size_t i = 0; i < config_.entrypoints.size() && i < entrypoints.items.size(); ++i) {
    const auto& entrypoint = config_.entrypoints[i];
    const auto path = fmt::format("entrypoints[{}]", i);
    if (std::ranges::find(names, entrypoint.recipe) == names.end()) {
      add("unknown-recipe", mark_of(entrypoints.items[i], "recipe"), path + ".recipe",
          fmt::format("no recipe is called '{}'", entrypoint.recipe),
          suggestion(entrypoint.recipe, names, "recipes"));
    }
    for (const auto& model : entrypoint.model_names) {
      if (models.insert(model).second) continue;
      add("duplicate-name", entrypoints.items[i].mark, path,
          fmt::format("model name '{}' has two entrypoints", model), "keep one");
    }
  }
}

}  // namespace

std::vector<Finding> validate(const Config& config, const Node& tree, const std::string& file) {
  Validator validator(config, file);
  validator.run(tree);
  return validator.take();
}

}  // namespace signalbox::config
