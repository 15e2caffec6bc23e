#include "config/migrate.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <filesystem>

#include "base/environment.h"
#include "base/file.h"
#include "config/yaml/emit.h"
#include "config/yaml/tree.h"

namespace signalbox::config {
namespace {

namespace fs = std::filesystem;

void forget_lines(RuleNode& rule) {
  rule.line = 0;
  for (auto& child : rule.children) forget_lines(child);
}

template <class List>
void forget_all(List& list) {
  for (auto& item : list) item.line = 0;
}

void forget_lines(Routing& routing) {
  auto& s = routing.signals;
  forget_all(s.keywords);
  forget_all(s.embeddings);
  forget_all(s.domains);
  forget_all(s.languages);
  forget_all(s.contexts);
  forget_all(s.structures);
  forget_all(s.conversations);
  forget_all(s.metadata);
  forget_all(s.role_bindings);
  forget_all(routing.decisions);
  for (auto& decision : routing.decisions) {
    forget_lines(decision.rules);
    forget_all(decision.model_refs);
  }
}

// What a file means, without where it says so.
Config meaning(const Config& config) {
  Config out = config;
  out.generation = Generation::kCanonicalV03;
  forget_all(out.providers.models);
  forget_lines(out.routing);
  for (HubModel* model : {&out.hub_models.domain, &out.hub_models.prompt_guard, &out.hub_models.pii,
                          &out.hub_models.fact_check, &out.hub_models.feedback}) {
    model->line = 0;
  }
  for (auto& recipe : out.recipes) forget_lines(recipe.routing);
  return out;
}

std::vector<fs::path> inputs() {
  const fs::path source = SIGNALBOX_SOURCE_DIR;
  const auto given = environment("SIGNALBOX_SHARED_DIR");
  const fs::path compat = (given ? fs::path(*given) : source / ".." / "shared") / "compat";
  std::vector<fs::path> files = {source / "examples/mom.yaml", source / "examples/flat.yaml",
                                 source / "examples/per-category.yaml"};
  for (const auto* name :
       {"semantic-router-values-a-category.yaml", "semantic-router-values-b-flat.yaml",
        "semantic-router-values-c-v03.yaml"}) {
    if (fs::exists(compat / name))
      files.push_back(compat / name);
    else
      GTEST_LOG_(INFO) << (compat / name)
                       << " is not here: only the project's own examples are migrated";
  }
  return files;
}

TEST(Migrate, OutputLoadsToAnEqualConfigAndIsItsOwnMigration) {
  for (const auto& path : inputs()) {
    SCOPED_TRACE(path);
    const auto text = read_file(path, 8 << 20);
    ASSERT_TRUE(text);
    const auto before = load_text(*text, "before.yaml");
    ASSERT_TRUE(before) << before.error().message;
    const auto migrated = migrate(*text, "before.yaml");
    const auto after = load_text(migrated.yaml, "after.yaml");
    ASSERT_TRUE(after) << after.error().message << "\n" << migrated.yaml;
    EXPECT_EQ(after->config->generation, Generation::kCanonicalV03);
    EXPECT_TRUE(meaning(*before->config) == meaning(*after->config));
    EXPECT_EQ(migrate(migrated.yaml, "after.yaml").yaml, migrated.yaml);
  }
}

TEST(Migrate, WrittenSecretsAreMaskedAndVariablesStay) {
  const auto migrated = migrate(R"(
providers:
  models:
    - name: m
      backend_refs:
        - {endpoint: "h:1", api_key: sk-secret-value}
        - {endpoint: "h:2", api_key: "${KEY:-none}"}
)",
                                "f.yaml");
  EXPECT_EQ(migrated.yaml.find("sk-secret-value"), std::string::npos);
  EXPECT_NE(migrated.yaml.find("\"***\""), std::string::npos) << migrated.yaml;
  EXPECT_NE(migrated.yaml.find("${KEY:-none}"), std::string::npos);
  EXPECT_TRUE(migrated.yaml.starts_with("# Secrets"));
}

TEST(Migrate, FileThatDoesNotLoadGivesFindingsAndNoText) {
  const auto migrated = migrate("providers: {modles: []}", "f.yaml");
  EXPECT_TRUE(migrated.yaml.empty());
  EXPECT_TRUE(any_error(migrated.findings));
}

Node random_tree(int depth) {
  const auto kind = *rc::gen::inRange(0, depth <= 0 ? 2 : 4);
  Node node;
  if (kind <= 1) {
    // Words that invite mistakes beside arbitrary text; YAML itself forbids control characters but for escapes.
    const auto text = kind == 0 ? *rc::gen::elementOf(std::vector<std::string>{"",
                                                                               "true",
                                                                               "No",
                                                                               "~",
                                                                               "null",
                                                                               "12",
                                                                               "-1.5",
                                                                               "1e3",
                                                                               "0x10",
                                                                               " a",
                                                                               "a ",
                                                                               "a: b",
                                                                               "a #b",
                                                                               "- x",
                                                                               "[x]",
                                                                               "{x}",
                                                                               "*x",
                                                                               "&x",
                                                                               "!x",
                                                                               "|",
                                                                               ">",
                                                                               "'",
                                                                               "\"",
                                                                               "%",
                                                                               "@",
                                                                               "`",
                                                                               "a\nb",
                                                                               "a\tb",
                                                                               "1:30",
                                                                               "2025-03-01",
                                                                               "\u00e9t\u00e9",
                                                                               "<<",
                                                                               "=",
                                                                               ".5",
                                                                               "---"})
                                : *rc::gen::string<std::string>();
    bool ascii = true;
    for (const char c : text)
      ascii &= static_cast<unsigned char>(c) < 0x80 && c != '\0' && c != '\x7f';
    return scalar_node(ascii || kind == 0 ? text : "plain", {}, true);
  }
  node.kind = kind == 2 ? Node::Kind::kSequence : Node::Kind::kMap;
  const auto count = *rc::gen::inRange(0, 4);
  for (int i = 0; i < count; ++i) {
    if (kind == 2)
      node.items.push_back(random_tree(depth - 1));
    else
      node.set("key" + std::to_string(i) + (i % 2 ? " x" : ""), random_tree(depth - 1));
  }
  return node;
}

RC_GTEST_PROP(EmitYaml, ParsingTheTextGivesTheTreeBack, ()) {
  const Node tree = random_tree(4);
  const auto text = emit_yaml(tree);
  const auto parsed = parse_tree(text);
  RC_ASSERT(parsed.has_value());
  RC_ASSERT(same_content(*parsed, tree));
}

}  // namespace
}  // namespace signalbox::config
