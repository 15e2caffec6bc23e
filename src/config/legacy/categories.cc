#include "config/legacy/categories.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <string>
#include <utility>

#include "base/text.h"
#include "config/labels.h"
#include "config/legacy/flat.h"

namespace signalbox::config {
namespace {

constexpr int kOtherPriority = 1;
constexpr int kDomainPriority = 10;
constexpr int kEmbeddingPriority = 15;
constexpr int kKeywordPriority = 20;

constexpr std::array<std::string_view, 13> kCategoryKeys = {"name",
                                                            "description",
                                                            "mmlu_categories",
                                                            "system_prompt",
                                                            "system_prompt_enabled",
                                                            "system_prompt_mode",
                                                            "semantic_cache_enabled",
                                                            "semantic_cache_similarity_threshold",
                                                            "jailbreak_enabled",
                                                            "jailbreak_threshold",
                                                            "pii_enabled",
                                                            "pii_threshold",
                                                            "model_scores"};
constexpr std::array<std::string_view, 6> kScoreKeys = {
    "model", "lora_name", "score", "use_reasoning", "reasoning_description", "reasoning_effort"};

Node map_node(Mark mark) { return {.kind = Node::Kind::kMap, .mark = mark}; }
Node list_node(Mark mark) { return {.kind = Node::Kind::kSequence, .mark = mark}; }

void copy_key(const Node& from, std::string_view key, Node& to, std::string_view as) {
  if (const Node* value = from.find(key)) to.set(as, *value);
}

std::string slug(std::string_view name) {
  std::string out(name);
  std::ranges::replace(out, ' ', '_');
  return out;
}

// Lives for one conversion.
class Categories {
 public:
  Categories(Node& tree, Reader& reader) : tree_(tree), reader_(reader) {}

  // Signals of `kind` ("keyword") that feed categories; remembers their names.
  void rules(Node rules, std::string_view kind, std::string_view target);  // null: there are none
  void category(const Node& category);
  // Rules whose category does not exist.
  void finish(const Node& categories);

 private:
  struct Fed {
    std::vector<std::string> names;  // of signals
    Mark mark;
  };
  using FedBy = std::map<std::string, Fed, std::less<>>;

  const Fed* fed(std::string_view kind, std::string_view category) const;
  void decision(const Node& category, std::string name, int priority, std::string_view type,
                const std::vector<std::string>& signals);
  Node model_refs(const Node& category);
  Node plugins(const Node& category);
  Node& list(std::string_view path) {
    Node& node = at_path(tree_, path);
    node.kind = Node::Kind::kSequence;
    return node;
  }

  Node& tree_;
  Reader& reader_;
  std::map<std::string, FedBy, std::less<>> fed_;  // kind -> category -> signals
};

void Categories::rules(Node rules, std::string_view kind, std::string_view target) {
  if (rules.is_null() || !reader_.expect_sequence(rules)) return;
  for (auto& rule : rules.items) {
    std::string category(rule.text("category"));
    if (category.empty()) category = rule.text("name");
    auto& fed = fed_[std::string(kind)][category];
    fed.mark = rule.mark;
    const auto count = fed.names.size() + 1;
    fed.names.push_back(count == 1 ? category : fmt::format("{}_{}", category, count));
    rule.take("category");
    rule.set("name", scalar_node(fed.names.back(), rule.mark, true));
    list(target).items.push_back(std::move(rule));
  }
}

const Categories::Fed* Categories::fed(std::string_view kind, std::string_view category) const {
  const auto by = fed_.find(kind);
  if (by == fed_.end()) return nullptr;
  const auto found = by->second.find(category);
  return found == by->second.end() ? nullptr : &found->second;
}

Node Categories::model_refs(const Node& category) {
  std::multimap<double, Node, std::greater<>> scored;  // equal scores stay in file order
  const Node* scores = category.find("model_scores");
  if (scores == nullptr) return list_node(category.mark);
  for (std::size_t i = 0; i < scores->items.size(); ++i) {
    const Node& score = scores->items[i];
    const Reader::Scope list(reader_, "model_scores", *scores);
    const Reader::Scope scope(reader_, i, score);
    Node ref = map_node(score.mark);
    ref.origin = reader_.path();
    for (const auto& entry : score.entries) {
      if (std::ranges::find(kScoreKeys, entry.key) == kScoreKeys.end())
        reader_.unknown_key(entry, kScoreKeys);
      else if (entry.key != "score")
        ref.entries.push_back(entry);
    }
    const Node* value = score.find("score");
    scored.emplace(value ? reader_.number(*value).value_or(0) : 0, std::move(ref));
  }
  Node refs = list_node(scores->mark);
  for (auto& [score, ref] : scored) refs.items.push_back(std::move(ref));
  return refs;
}

Node plugin(std::string_view type, Node configuration) {
  Node node = map_node(configuration.mark);
  node.set("type", scalar_node(std::string(type), configuration.mark));
  node.set("configuration", std::move(configuration));
  return node;
}

Node Categories::plugins(const Node& category) {
  Node plugins = list_node(category.mark);
  const auto add = [&](std::string_view type,
                       std::initializer_list<std::pair<std::string_view, std::string_view>> keys) {
    Node configuration = map_node(category.mark);
    for (const auto& [from, to] : keys) copy_key(category, from, configuration, to);
    if (!configuration.entries.empty())
      plugins.items.push_back(plugin(type, std::move(configuration)));
  };
  if (category.find("system_prompt") != nullptr) {
    add("system_prompt", {{"system_prompt_enabled", "enabled"},
                          {"system_prompt", "system_prompt"},
                          {"system_prompt_mode", "mode"}});
  }
  if (category.find("semantic_cache_enabled") != nullptr) {
    add("response_cache", {{"semantic_cache_enabled", "enabled"},
                           {"semantic_cache_similarity_threshold", "similarity_threshold"}});
  }
  if (category.find("pii_enabled") != nullptr)
    add("pii", {{"pii_enabled", "enabled"}, {"pii_threshold", "threshold"}});
  if (category.find("jailbreak_enabled") != nullptr) {
    add("jailbreak", {{"jailbreak_enabled", "enabled"}, {"jailbreak_threshold", "threshold"}});
  }
  return plugins;
}

void Categories::decision(const Node& category, std::string name, int priority,
                          std::string_view type, const std::vector<std::string>& signals) {
  Node conditions = list_node(category.mark);
  for (const auto& signal : signals) {
    Node leaf = map_node(category.mark);
    leaf.set("type", scalar_node(std::string(type), category.mark));
    leaf.set("name", scalar_node(signal, category.mark, true));
    conditions.items.push_back(std::move(leaf));
  }
  Node rules = map_node(category.mark);
  rules.set("operator", scalar_node("OR", category.mark));
  rules.set("conditions", std::move(conditions));
  Node decision = map_node(category.mark);
  decision.origin = reader_.path();
  decision.set("name", scalar_node(std::move(name), category.mark, true));
  copy_key(category, "description", decision, "description");
  decision.set("priority", scalar_node(fmt::format("{}", priority), category.mark));
  decision.set("rules", std::move(rules));
  decision.set("modelRefs", model_refs(category));
  decision.set("plugins", plugins(category));
  list("routing.decisions").items.push_back(std::move(decision));
}

void Categories::category(const Node& category) {
  for (const auto& entry : category.entries) {
    if (std::ranges::find(kCategoryKeys, entry.key) == kCategoryKeys.end())
      reader_.unknown_key(entry, kCategoryKeys);
  }
  const std::string name(category.text("name"));
  if (name.empty()) {
    reader_.error("missing-key", category.mark, "key 'name' is missing");
    return;
  }
  const Fed* keyword = fed("keyword", name);
  const Fed* embedding = fed("embedding", name);
  const bool classified = is_domain_label(name) || category.find("mmlu_categories") != nullptr;
  const bool by_domain = classified || (keyword == nullptr && embedding == nullptr);
  const auto base = slug(name);
  if (keyword != nullptr) {
    decision(category, fmt::format("{}{}_decision", base, by_domain ? "_keyword" : ""),
             kKeywordPriority, "keyword", keyword->names);
  }
  if (embedding != nullptr) {
    const bool alone = !by_domain && keyword == nullptr;
    decision(category, fmt::format("{}{}_decision", base, alone ? "" : "_embedding"),
             kEmbeddingPriority, "embedding", embedding->names);
  }
  if (!by_domain) return;
  Node domain = map_node(category.mark);
  domain.origin = reader_.path();
  for (const auto key : {"name", "description", "mmlu_categories"})
    copy_key(category, key, domain, key);
  list("routing.signals.domains").items.push_back(std::move(domain));
  decision(category, base + "_decision", name == "other" ? kOtherPriority : kDomainPriority,
           "domain", {name});
}

void Categories::finish(const Node& categories) {
  std::vector<std::string_view> names;
  for (const auto& category : categories.items) names.push_back(category.text("name"));
  for (const auto& [kind, by_category] : fed_) {
    for (const auto& [category, fed] : by_category) {
      if (std::ranges::find(names, category) != names.end()) continue;
      const auto meant = did_you_mean(category, names);
      reader_.error("unknown-category", fed.mark,
                    fmt::format("no category is called '{}'", category),
                    meant ? fmt::format("did you mean '{}'?", *meant) : "add it to categories");
    }
  }
}

}  // namespace

void convert_categories(Node& body, Node& tree, Reader& reader) {
  Categories conversion(tree, reader);
  conversion.rules(body.take("keyword_rules"), "keyword", "routing.signals.keywords");
  conversion.rules(body.take("embedding_rules"), "embedding", "routing.signals.embeddings");
  const Node categories = body.take("categories");
  const Reader::Scope scope(reader, "categories", categories);
  if (!reader.expect_sequence(categories)) return;
  for (std::size_t i = 0; i < categories.items.size(); ++i) {
    const Reader::Scope inside(reader, i, categories.items[i]);
    conversion.category(categories.items[i]);
  }
  conversion.finish(categories);
}

}  // namespace signalbox::config
