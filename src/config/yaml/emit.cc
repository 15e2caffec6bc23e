#include "config/yaml/emit.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "json/splice.h"

namespace signalbox::config {
namespace {

// Words that YAML 1.1 or 1.2 readers take for something else than a string.
constexpr std::array<std::string_view, 10> kReserved = {"null", "~",  "true", "false", "yes",
                                                        "no",   "on", "off",  "y",     "n"};

bool plain_char(char c) {
  const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  return letter || std::string_view(" _-./$+()=;").find(c) != std::string_view::npos;
}

bool looks_typed(std::string_view text) {
  if (std::ranges::any_of(kReserved, [&](auto word) { return equal_ignore_case(word, text); }))
    return true;
  // Numbers in any notation, dates and sexagesimals begin with a digit or a sign.
  return text[0] >= '0' && text[0] <= '9';
}

bool plain_is_safe(const Node& node) {
  const std::string_view text = node.scalar;
  if (text.empty() || text.front() == ' ' || text.back() == ' ') return false;
  if (!std::ranges::all_of(text, plain_char)) return false;
  // Not an indicator at the front; a sign may begin a number that was plain before.
  const char first = text.front();
  const bool number = !node.quoted && parse_double(text).has_value();
  if (number) return true;
  if (first == '-' || first == '.' || first == '=' || first == '+') return false;
  return !node.quoted || !looks_typed(text);
}

void emit(const Node& node, int indent, bool in_sequence, std::string& out);

void emit_scalar(const Node& node, std::string& out) {
  if (plain_is_safe(node))
    out += node.scalar;
  else
    json::append_quoted(out, node.scalar);
}

std::string key_text(const std::string& key) {
  std::string out;
  emit_scalar(scalar_node(key, {}, true), out);
  return out;
}

void emit_map(const Node& node, int indent, bool in_sequence, std::string& out) {
  bool first = true;
  for (const auto& entry : node.entries) {
    if (entry.value.is_null()) continue;
    // The first key of a map in a list stands behind the dash.
    if (!(first && in_sequence)) out.append(static_cast<std::size_t>(indent), ' ');
    first = false;
    out += key_text(entry.key) + ":";
    emit(entry.value, indent + 2, false, out);
  }
}

void emit_sequence(const Node& node, int indent, std::string& out) {
  for (const auto& item : node.items) {
    out.append(static_cast<std::size_t>(indent), ' ');
    out += "-";
    emit(item, indent + 2, true, out);
  }
}

bool has_values(const Node& map) {
  return std::ranges::any_of(map.entries, [](const auto& entry) { return !entry.value.is_null(); });
}

// After "key:" or "-": a scalar on the same line, or a block below.
void emit(const Node& node, int indent, bool in_sequence, std::string& out) {
  switch (node.kind) {
    case Node::Kind::kNull:
      out += " null\n";
      return;
    case Node::Kind::kScalar:
      out += ' ';
      emit_scalar(node, out);
      out += '\n';
      return;
    case Node::Kind::kSequence:
      if (node.items.empty()) {
        out += " []\n";
        return;
      }
      out += '\n';
      emit_sequence(node, indent, out);
      return;
    case Node::Kind::kMap:
      if (!has_values(node)) {
        out += " {}\n";
        return;
      }
      out += in_sequence ? " " : "\n";
      emit_map(node, indent, in_sequence, out);
      return;
  }
}

}  // namespace

std::string emit_yaml(const Node& node) {
  std::string out;
  if (node.is_map() && has_values(node)) {
    emit_map(node, 0, false, out);
  } else if (node.is_sequence() && !node.items.empty()) {
    emit_sequence(node, 0, out);
  } else {
    emit(node, 0, false, out);
    out.erase(0, 1);
  }
  return out;
}

bool same_content(const Node& a, const Node& b) {
  if (a.kind != b.kind || a.scalar != b.scalar) return false;
  const auto values = [](const Node& map) {
    std::vector<const Node::Entry*> found;
    for (const auto& entry : map.entries) {
      if (!entry.value.is_null()) found.push_back(&entry);
    }
    return found;
  };
  return std::ranges::equal(a.items, b.items, same_content) &&
         std::ranges::equal(values(a), values(b), [](const auto* x, const auto* y) {
           return x->key == y->key && same_content(x->value, y->value);
         });
}

}  // namespace signalbox::config
