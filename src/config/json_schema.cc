#include "config/json_schema.h"

#include <fmt/core.h>

#include <set>

#include "base/text.h"
#include "config/tables/tables.h"
#include "json/splice.h"

namespace signalbox::config {
namespace {

// Any scalar may be given as ${VAR}; then it is a string in the file.
constexpr std::string_view kVariable = R"({"type":"string","pattern":"\\$\\{"})";

// Writes the definitions it meets, each once; lives for one schema.
class Writer {
 public:
  std::string run();

 private:
  std::string reference(const Schema& schema);
  std::string definition(const Schema& schema);
  std::string field(const Field& field);
  std::string type(const Field& field);
  std::string scalar(const Field& field, std::string_view json_type);
  std::string variants(const Field& field);

  std::set<std::string_view> seen_;
  std::string definitions_;
};

// Words are compared without regard to case; a schema can only list the usual spellings.
std::string words_json(const std::vector<std::string_view>& words) {
  std::set<std::string> spellings;
  for (const auto word : words) {
    std::string upper(word);
    for (char& c : upper) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
    spellings.insert({std::string(word), to_lower(word), upper});
  }
  std::string out = "[";
  for (const auto& word : spellings) out += (out.size() > 1 ? "," : "") + json::quote(word);
  return out + "]";
}

// A default as JSON: numbers and booleans as themselves.
std::string default_json(const Field& field, const std::string& shown) {
  const bool raw = field.type == Type::kBoolean || field.type == Type::kInteger ||
                   field.type == Type::kNumber || field.type == Type::kBytes ||
                   field.type == Type::kTokens;
  return raw ? shown : json::quote(shown);
}

std::string Writer::reference(const Schema& schema) {
  if (seen_.insert(schema.name).second) {
    const auto text = definition(schema);
    if (!definitions_.empty()) definitions_ += ",\n";
    definitions_ += fmt::format("  {}:{}", json::quote(schema.name), text);
  }
  // A JSON pointer inside a URI fragment: brackets and spaces are escaped.
  std::string pointer;
  for (const char c : schema.name) {
    if (c == '[')
      pointer += "%5B";
    else if (c == ']')
      pointer += "%5D";
    else if (c == ' ')
      pointer += "%20";
    else
      pointer += c;
  }
  return fmt::format(R"({{"$ref":"#/$defs/{}"}})", pointer);
}

std::string Writer::definition(const Schema& schema) {
  std::string properties;
  std::string required;
  for (const auto& row : schema.fields) {
    const auto text = field(row);
    properties += fmt::format("{}{}:{}", properties.empty() ? "" : ",", json::quote(row.key), text);
    for (const auto& [alias, target] : schema.aliases) {
      if (target == row.key) properties += fmt::format(",{}:{}", json::quote(alias), text);
    }
    // A key that has other names cannot be demanded under one of them.
    bool aliased = false;
    for (const auto& [alias, target] : schema.aliases) aliased |= target == row.key;
    if (row.is_required && !aliased)
      required += (required.empty() ? "" : ",") + json::quote(row.key);
  }
  return fmt::format(
      R"({{"type":["object","null"],"additionalProperties":false,"properties":{{{}}}{}}})",
      properties, required.empty() ? "" : fmt::format(R"(,"required":[{}])", required));
}

std::string Writer::scalar(const Field& field, std::string_view json_type) {
  std::string bounds;
  if (field.bounds) {
    bounds = fmt::format(R"(,"minimum":{},"maximum":{})", field.bounds->min, field.bounds->max);
  }
  return fmt::format(R"("anyOf":[{{"type":"{}"{}}},{},{{"type":"null"}}])", json_type, bounds,
                     kVariable);
}

std::string Writer::variants(const Field& field) {
  std::string cases;
  for (const auto& [word, schema] : field.variants()) {
    cases += fmt::format(
        R"({}{{"properties":{{"type":{{"const":{}}},"configuration":{}}},"required":["type"],"additionalProperties":false}})",
        cases.empty() ? "" : ",", json::quote(word), reference(*schema));
  }
  // Published spellings of response_cache.
  for (const auto& [word, schema] : field.variants()) {
    if (word != "response_cache") continue;
    cases += fmt::format(
        R"(,{{"properties":{{"type":{{"enum":["semantic-cache","semantic_cache","response-cache"]}},"configuration":{}}},"required":["type"],"additionalProperties":false}})",
        reference(*schema));
  }
  return fmt::format(R"("type":["array","null"],"items":{{"type":"object","oneOf":[{}]}})", cases);
}

std::string Writer::type(const Field& field) {
  if (field.variants) return variants(field);
  if (!field.words.empty()) {
    return fmt::format(R"("anyOf":[{{"enum":{}}},{},{{"type":"null"}}])", words_json(field.words),
                       kVariable);
  }
  switch (field.type) {
    case Type::kBoolean:
      return scalar(field, "boolean");
    case Type::kInteger:
      return scalar(field, "integer");
    case Type::kNumber:
      return scalar(field, "number");
    case Type::kDuration:
    case Type::kBytes:
    case Type::kTokens:
      return R"("type":["string","number","null"])";
    case Type::kString:
    case Type::kSecret:
      return R"("type":["string","number","boolean","null"])";
    case Type::kStringList:
      return R"("type":["array","string","null"],"items":{"type":["string","number","boolean"]})";
    case Type::kStringLists:
      return R"("type":["array","null"],"items":{"type":"array"})";
    case Type::kStringMap:
      return R"("type":["object","null"],"additionalProperties":{"type":["string","number","boolean","null"]})";
    case Type::kStruct:
      return fmt::format(R"("allOf":[{}])", reference(field.nested()));
    case Type::kList:
      return fmt::format(R"("type":["array","null"],"items":{})", reference(field.nested()));
    case Type::kMap:
      return fmt::format(R"("type":["object","null"],"additionalProperties":{})",
                         reference(field.nested()));
    case Type::kOpen:
      return {};
  }
  return {};
}

std::string Writer::field(const Field& field) {
  std::string doc(field.doc);
  if (!field.feature.empty()) doc += fmt::format("{}Not supported yet.", doc.empty() ? "" : " ");
  if (!field.is_reloadable) doc += " A change needs a restart.";
  std::string out = type(field);
  if (!doc.empty())
    out += fmt::format(R"({}"description":{})", out.empty() ? "" : ",", json::quote(doc));
  const auto shown = field.show_default ? field.show_default() : std::string();
  if (!shown.empty())
    out += fmt::format(R"({}"default":{})", out.empty() ? "" : ",", default_json(field, shown));
  return "{" + out + "}";
}

std::string Writer::run() {
  const auto document = reference(document_schema());
  const auto own = reference(own_schema());
  return fmt::format(
      "{{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\n\"title\":\"Signalbox "
      "configuration\",\n"
      "\"description\":\"Canonical v0.3 with the signalbox block, plain or under config: of Helm "
      "values\",\n"
      "\"anyOf\":[{},{{\"type\":\"object\",\"required\":[\"config\"],\"properties\":{{\"config\":{}"
      ",\"signalbox\":{}}}}}],\n"
      "\"$defs\":{{\n{}\n}}}}\n",
      document, document, own, definitions_);
}

}  // namespace

std::string json_schema() { return Writer().run(); }

}  // namespace signalbox::config
