#include "config/tables/field.h"

#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "base/text.h"
#include "config/tables/bind.h"

namespace signalbox::config {
namespace {

// Something that is switched off is not missed.
bool switched_off(const Field& field, const Node& node) {
  if (node.is_sequence() && node.items.empty()) return true;
  const auto enabled = node.text("enabled");
  return field.is_opt_in ? !equal_ignore_case(enabled, "true")
                         : equal_ignore_case(enabled, "false");
}

void check_known(Reader& reader, const Field& field, const Node& node) {
  // Values that a later release will substitute are not looked at today.
  if (node.is_scalar() && node.scalar.find("${") != std::string::npos) return;
  switch (field.type) {
    case Type::kBoolean:
      reader.boolean(node);
      return;
    case Type::kInteger:
      reader.integer(node);
      return;
    case Type::kNumber:
      reader.number(node);
      return;
    case Type::kStringList:
      if (!node.is_scalar()) reader.expect_sequence(node);
      return;
    case Type::kStringMap:
      reader.expect_map(node);
      return;
    default:
      reader.text(node);
      return;
  }
}

}  // namespace

const Field* Schema::find(std::string_view key) const {
  for (const auto& [alias, target] : aliases) {
    if (alias == key) key = target;
  }
  const auto found = std::ranges::find(fields, key, &Field::key);
  return found == fields.end() ? nullptr : &*found;
}

std::vector<std::string_view> Schema::keys() const {
  std::vector<std::string_view> keys;
  for (const auto& field : fields) keys.push_back(field.key);
  return keys;
}

void Schema::read(Reader& reader, const Node& node, void* object) const {
  if (node.is_null() && std::ranges::none_of(fields, &Field::is_required)) return;
  if (!reader.expect_map(node)) return;
  std::set<const Field*> seen;
  for (const auto& entry : node.entries) {
    const Field* field = find(entry.key);
    if (field == nullptr) {
      reader.unknown_key(entry, keys());
      continue;
    }
    if (!seen.insert(field).second) {
      reader.error("contradiction", entry.mark,
                   fmt::format("'{}' is given twice, under two of its names", field->key),
                   "keep one of them");
    }
    if (entry.value.is_null()) continue;  // "key:" with nothing behind it is the default
    const Reader::Scope scope(reader, entry.key, entry.value);
    if (!field->feature.empty() && !switched_off(*field, entry.value))
      reader.not_yet(field->feature, entry.mark);
    field->read(reader, *field, entry.value, object);
  }
  for (const auto& field : fields) {
    if (!field.is_required) continue;
    const bool given = std::ranges::any_of(node.entries, [&](const Node::Entry& entry) {
      return find(entry.key) == &field && !entry.value.is_null();
    });
    if (!given)
      reader.error("missing-key", node.mark, fmt::format("key '{}' is missing", field.key));
  }
  if (after) after(reader, node, object);
}

bool check_range(Reader& reader, const Field& field, const Node& node, double value) {
  if (!field.bounds || (value >= field.bounds->min && value <= field.bounds->max)) return true;
  reader.error("out-of-range", node.mark, fmt::format("{} is out of range", node.scalar),
               fmt::format("allowed is {} to {}{}", field.bounds->min, field.bounds->max,
                           field.type == Type::kDuration ? " seconds" : ""));
  return false;
}

bool check_word(Reader& reader, const Field& field, const Node& node, std::string_view value) {
  if (field.words.empty()) return true;
  for (const auto word : field.words) {
    if (equal_ignore_case(word, value)) return true;
  }
  std::string allowed;
  for (const auto word : field.words)
    allowed += fmt::format("{}{}", allowed.empty() ? "" : ", ", word);
  const auto meant = did_you_mean(value, field.words);
  reader.error(
      "unknown-word", node.mark, fmt::format("'{}' is not known here", value),
      (meant ? fmt::format("did you mean '{}'? ", *meant) : std::string()) + "allowed: " + allowed);
  return false;
}

Field known_scalar(std::string_view key, Type type, std::string_view doc) {
  Field field;
  field.key = key;
  field.type = type;
  field.doc = doc;
  field.read = [](Reader& reader, const Field& self, const Node& node, void*) {
    check_known(reader, self, node);
  };
  return field;
}

Field known_struct(std::string_view key, std::function<const Schema&()> nested,
                   std::string_view doc) {
  Field field = known_scalar(key, Type::kStruct, doc);
  field.nested = std::move(nested);
  field.read = [](Reader& reader, const Field& self, const Node& node, void*) {
    self.nested().read(reader, node, nullptr);
  };
  return field;
}

Field known_list(std::string_view key, std::function<const Schema&()> nested,
                 std::string_view doc) {
  Field field = known_struct(key, std::move(nested), doc);
  field.type = Type::kList;
  field.read = [](Reader& reader, const Field& self, const Node& node, void*) {
    if (!reader.expect_sequence(node)) return;
    for (std::size_t i = 0; i < node.items.size(); ++i) {
      const Reader::Scope scope(reader, i, node.items[i]);
      self.nested().read(reader, node.items[i], nullptr);
    }
  };
  return field;
}

Field known_map(std::string_view key, std::function<const Schema&()> nested, std::string_view doc) {
  Field field = known_struct(key, std::move(nested), doc);
  field.type = Type::kMap;
  field.read = [](Reader& reader, const Field& self, const Node& node, void*) {
    if (!reader.expect_map(node)) return;
    for (const auto& entry : node.entries) {
      const Reader::Scope scope(reader, entry.key, entry.value);
      self.nested().read(reader, entry.value, nullptr);
    }
  };
  return field;
}

Field known_open(std::string_view key, std::string_view doc) {
  Field field = known_scalar(key, Type::kOpen, doc);
  field.read = [](Reader&, const Field&, const Node&, void*) {};
  return field;
}

Field group(std::string_view key, std::function<const Schema&()> nested, std::string_view doc) {
  Field field = known_struct(key, std::move(nested), doc);
  field.read = [](Reader& reader, const Field& self, const Node& node, void* object) {
    self.nested().read(reader, node, object);
  };
  return field;
}

void read_words(Reader& reader, const Node& node, Words& out) {
  if (node.is_scalar()) {
    if (auto word = reader.text(node)) out.push_back(*std::move(word));
    return;
  }
  if (!reader.expect_sequence(node)) return;
  for (std::size_t i = 0; i < node.items.size(); ++i) {
    const Reader::Scope scope(reader, i, node.items[i]);
    if (auto word = reader.text(node.items[i])) out.push_back(*std::move(word));
  }
}

void read_pairs(Reader& reader, const Node& node, Pairs& out) {
  if (!reader.expect_map(node)) return;
  for (const auto& entry : node.entries) {
    const Reader::Scope scope(reader, entry.key, entry.value);
    if (entry.value.is_null())
      out.emplace_back(entry.key, "");
    else if (auto value = reader.text(entry.value))
      out.emplace_back(entry.key, *std::move(value));
  }
}

std::optional<std::int64_t> read_integer(Reader& reader, const Field& field, const Node& node) {
  if (field.type == Type::kBytes) return reader.scaled(node, 1024);
  if (field.type == Type::kTokens) return reader.scaled(node, 1000);
  return reader.integer(node);
}

}  // namespace signalbox::config
