#include "config/migrate.h"

#include <algorithm>
#include <array>

#include "config/legacy/shape.h"
#include "config/tables/tables.h"
#include "config/yaml/emit.h"

namespace signalbox::config {
namespace {

constexpr std::string_view kMask = "***";
// Names of secrets in maps whose keys are the user's own.
constexpr std::array<std::string_view, 6> kSecretNames = {"api_key",    "password", "token",
                                                          "access_key", "secret",   "auth_token"};

// Names, order and secrets along the tables; lives for one migration.
class Normaliser {
 public:
  void run(Node& node, const Schema& schema);
  bool masked() const { return masked_; }

 private:
  void value(Node& node, const Field& field);
  void plugin(Node& node, const Field& field);
  void open(Node& node);
  void mask(Node& node);
  bool masked_ = false;
};

void Normaliser::mask(Node& node) {
  if (!node.is_scalar() || node.scalar.empty() || node.scalar.find("${") != std::string::npos)
    return;
  node = scalar_node(std::string(kMask), node.mark, true);
  masked_ = true;
}

void Normaliser::open(Node& node) {
  for (auto& item : node.items) open(item);
  for (auto& entry : node.entries) {
    if (std::ranges::find(kSecretNames, entry.key) != kSecretNames.end())
      mask(entry.value);
    else
      open(entry.value);
  }
}

void Normaliser::plugin(Node& node, const Field& field) {
  Node* type = node.find("type");
  if (type == nullptr) return;
  type->scalar = plugin_type(type->scalar);
  Node* configuration = node.find("configuration");
  if (configuration == nullptr) return;
  for (const auto& [word, schema] : field.variants()) {
    if (word == type->scalar) run(*configuration, *schema);
  }
}

void Normaliser::value(Node& node, const Field& field) {
  if (field.variants) {
    for (auto& item : node.items) plugin(item, field);
    return;
  }
  switch (field.type) {
    case Type::kSecret:
      mask(node);
      return;
    case Type::kStruct:
      run(node, field.nested());
      return;
    case Type::kList:
      for (auto& item : node.items) run(item, field.nested());
      return;
    case Type::kMap:
      for (auto& entry : node.entries) run(entry.value, field.nested());
      return;
    case Type::kOpen:
      open(node);
      return;
    default:
      return;
  }
}

void Normaliser::run(Node& node, const Schema& schema) {
  for (auto& entry : node.entries) {
    const Field* field = schema.find(entry.key);
    if (field == nullptr) continue;
    entry.key = field->key;
    value(entry.value, *field);
  }
  const auto rank = [&](const Node::Entry& entry) {
    return schema.find(entry.key) - schema.fields.data();
  };
  std::ranges::sort(node.entries, {}, rank);
}

}  // namespace

Migrated migrate(std::string_view text, const std::string& file_name, const LoadOptions& options) {
  auto report = load_report(text, file_name, options);
  Migrated migrated{.yaml = {}, .findings = std::move(report.findings)};
  if (report.config == nullptr) return migrated;
  auto tree = parse_tree(text);
  Reader reader(file_name, {});
  Shape shape = to_canonical(*std::move(tree), reader);
  if (shape.tree.find("version") == nullptr) shape.tree.set("version", scalar_node("v0.3", {}));
  Normaliser normaliser;
  normaliser.run(shape.tree, document_schema());
  if (normaliser.masked()) {
    migrated.yaml =
        "# Secrets that stood in the file are written as ***: put ${VARIABLE} or api_key_env "
        "there.\n";
  }
  migrated.yaml += emit_yaml(shape.tree);
  return migrated;
}

}  // namespace signalbox::config
