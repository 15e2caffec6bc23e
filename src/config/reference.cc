#include "config/reference.h"

#include <fmt/core.h>

#include <algorithm>
#include <set>
#include <vector>

#include "config/tables/tables.h"

namespace signalbox::config {
namespace {

constexpr std::string_view kIntroduction = R"(# Configuration reference

Made by `signalbox config docs` from the field tables in `src/config/tables/`; do not edit by hand.

A file is YAML in one of these shapes; Signalbox says at load which one it saw:

- canonical v0.3: `version`, `listeners`, `providers`, `routing`, `entrypoints`, `recipes`, `global`, and our own
  `signalbox`;
- the flat signal/decision generation and the per-category generation of 2025; `signalbox config migrate FILE` prints
  them in the canonical form, and they also load as they are;
- Helm values that hold any of these under `config`; the chart's other keys are not read. `signalbox` may stand beside
  `config` or inside it.

Values may hold `${VAR}` and `${VAR:-default}`; `$${` is a literal `${`. An unknown key, a value out of range and a name
that nothing defines are errors with file, line and a remedy. A key of a feature that is not there yet loads, and is named
once as not supported yet. Durations are `250ms`, `5s`, `2m`, `1h` or a number of seconds; sizes take `K`, `M`, `G` (1024s,
in bytes), counts of tokens take `K` and `M` (1000s). *restart* marks what a reload does not change.

Other spellings: the plugins `semantic-cache`, `semantic_cache` and `response-cache` are `response_cache`; `rule_name` of a
condition is `name`; `semantic.similarity_threshold` of a cache is `similarity_threshold`.
)";

std::string_view type_words(Type type) {
  switch (type) {
    case Type::kString:
      return "text";
    case Type::kSecret:
      return "secret";
    case Type::kBoolean:
      return "true/false";
    case Type::kInteger:
      return "integer";
    case Type::kNumber:
      return "number";
    case Type::kDuration:
      return "duration";
    case Type::kBytes:
      return "size";
    case Type::kTokens:
      return "tokens";
    case Type::kStringList:
      return "list of texts";
    case Type::kStringLists:
      return "list of lists";
    case Type::kStringMap:
      return "map of texts";
    case Type::kStruct:
      return "map";
    case Type::kList:
      return "list";
    case Type::kMap:
      return "map by name";
    case Type::kOpen:
      return "anything";
  }
  return "";
}

// "|" would end the cell.
std::string cell(std::string_view text) {
  std::string out;
  for (const char c : text) out += c == '|' ? std::string("\\|") : std::string(1, c);
  return out;
}

std::string allowed(const Field& field) {
  std::string out;
  for (const auto word : field.words) out += fmt::format("{}`{}`", out.empty() ? "" : " ", word);
  if (field.bounds) out += fmt::format("{} to {}", field.bounds->min, field.bounds->max);
  return out;
}

std::string meaning(const Field& field) {
  std::string out = cell(field.doc);
  if (!field.feature.empty()) out += fmt::format("{}*Not supported yet.*", out.empty() ? "" : " ");
  if (!field.is_reloadable) out += " *restart*";
  if (field.is_required) out += " *required*";
  return out;
}

// Collects schemas depth first; those only reached through features of later releases come last.
class Page {
 public:
  std::string run();

 private:
  void visit(const Schema& schema, bool later);
  static std::string table(const Schema& schema);
  static std::string key_list(const Schema& schema);

  std::set<std::string_view> seen_;
  std::vector<const Schema*> today_;
  std::vector<const Schema*> later_;
};

void Page::visit(const Schema& schema, bool later) {
  if (!seen_.insert(schema.name).second) return;
  (later ? later_ : today_).push_back(&schema);
  // What works today first, so that a struct used by both counts as of today.
  for (const bool pass : {false, true}) {
    for (const auto& field : schema.fields) {
      const bool is_later = later || !field.feature.empty();
      if (is_later != pass) continue;
      if (field.nested) visit(field.nested(), is_later || is_known_schema(field.nested()));
      if (!field.variants) continue;
      for (const auto& [word, nested] : field.variants()) {
        visit(*nested, is_later || is_known_schema(*nested));
      }
    }
  }
}

std::string Page::table(const Schema& schema) {
  std::string out = fmt::format(
      "\n## `{}`\n\n| key | type | default | allowed | meaning |\n|---|---|---|---|---|\n",
      schema.name);
  for (const auto& field : schema.fields) {
    const auto shown = field.show_default ? field.show_default() : std::string();
    out +=
        fmt::format("| `{}` | {} | {} | {} | {} |\n", field.key, type_words(field.type),
                    shown.empty() ? "" : "`" + cell(shown) + "`", allowed(field), meaning(field));
  }
  return out;
}

std::string Page::key_list(const Schema& schema) {
  std::string out = fmt::format("- {}:", schema.name);
  for (const auto& field : schema.fields) out += fmt::format(" `{}`", field.key);
  return out + "\n";
}

std::string Page::run() {
  visit(document_schema(), false);
  std::string out(kIntroduction);
  for (const auto* schema : today_) out += table(*schema);
  out +=
      "\n## Keys of later releases\n\nKnown, checked for unknown names, and without effect in this "
      "release.\n\n";
  std::ranges::sort(later_, {}, [](const Schema* schema) { return schema->name; });
  for (const auto* schema : later_) out += key_list(*schema);
  return out;
}

}  // namespace

std::string reference_page() { return Page().run(); }

}  // namespace signalbox::config
