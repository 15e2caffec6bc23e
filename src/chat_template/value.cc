#include "chat_template/value.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

#include "base/limits.h"
#include "chat_template/python_text.h"
#include "tokenize/unicode.h"

namespace signalbox::chat_template {
namespace {

std::unexpected<Error> unsupported(std::string what) {
  return fail(Code::kUnsupported, std::move(what) + " is not supported");
}
std::unexpected<Error> too_deep() {
  return fail(Code::kInvalidArgument, "values are nested too deeply");
}

bool is_plain_list(const List& list) {
  return list.form == List::Form::kList || list.form == List::Form::kTuple;
}

Result<bool> equal_lists(const List& a, const List& b, int depth) {
  if (!is_plain_list(a) || !is_plain_list(b)) return unsupported("comparing iterators");
  if (a.form != b.form || a.items.size() != b.items.size()) return false;
  for (std::size_t i = 0; i < a.items.size(); ++i) {
    SBX_TRY(const bool same, equal(a.items[i], b.items[i], depth + 1));
    if (!same) return false;
  }
  return true;
}

Result<bool> equal_maps(const Map& a, const Map& b, int depth) {
  if (a.is_namespace || b.is_namespace) return &a == &b;
  if (a.members.size() != b.members.size()) return false;
  for (const auto& [key, value] : a.members) {
    const Value* other = b.find(key);
    if (other == nullptr) return false;
    SBX_TRY(const bool same, equal(value, *other, depth + 1));
    if (!same) return false;
  }
  return true;
}

Result<void> append_text_repr(std::string& out, std::string_view text) {
  if (!is_ascii(text)) return unsupported("the repr of text beyond ASCII");
  const bool doubled =
      text.find('\'') != std::string_view::npos && text.find('"') == std::string_view::npos;
  const char quote = doubled ? '"' : '\'';
  out += quote;
  for (const char c : text) {
    if (c == '\\' || c == quote) {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\r') {
      out += "\\r";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c < 0x20 || c == 0x7F) {
      fmt::format_to(std::back_inserter(out), "\\x{:02x}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  out += quote;
  return {};
}

Result<void> append_repr(std::string& out, const Value& value, int depth);

Result<void> append_list_repr(std::string& out, const List& list, int depth) {
  if (!is_plain_list(list)) return unsupported("printing an iterator");
  const bool tuple = list.form == List::Form::kTuple;
  out += tuple ? '(' : '[';
  for (std::size_t i = 0; i < list.items.size(); ++i) {
    if (i > 0) out += ", ";
    SBX_CHECK_OK(append_repr(out, list.items[i], depth + 1));
  }
  if (tuple && list.items.size() == 1) out += ',';
  out += tuple ? ')' : ']';
  return {};
}

Result<void> append_repr(std::string& out, const Value& value, int depth) {
  if (depth > limits::kTemplateDepthMax) return too_deep();
  if (const auto* text = value.text()) {
    if (value.is_safe_text()) return unsupported("printing `safe` text inside a list");
    return append_text_repr(out, *text);
  }
  if (const auto* list = value.list()) return append_list_repr(out, *list, depth);
  if (value.is_mapping()) {
    out += '{';
    bool first = true;
    for (const auto& [key, member] : value.map()->members) {
      if (!first) out += ", ";
      first = false;
      SBX_CHECK_OK(append_text_repr(out, key));
      out += ": ";
      SBX_CHECK_OK(append_repr(out, member, depth + 1));
    }
    out += '}';
    return {};
  }
  if (value.is_undefined()) {
    out += "Undefined";
    return {};
  }
  SBX_TRY(const auto text, to_text(value));
  out += text;
  return {};
}

void append_json_text(std::string& out, std::string_view text, bool ascii) {
  out += '"';
  for (std::size_t at = 0; at < text.size();) {
    const auto decoded = tokenize::decode_utf8(text.substr(at));
    const std::uint32_t point = decoded.point;
    auto sink = std::back_inserter(out);
    if (point == '"' || point == '\\') {
      out += '\\';
      out += static_cast<char>(point);
    } else if (point == '\n') {
      out += "\\n";
    } else if (point == '\r') {
      out += "\\r";
    } else if (point == '\t') {
      out += "\\t";
    } else if (point == '\b') {
      out += "\\b";
    } else if (point == '\f') {
      out += "\\f";
    } else if (point < 0x20 || (ascii && point >= 0x7F && point < 0x10000)) {
      fmt::format_to(sink, "\\u{:04x}", point);
    } else if (ascii && point >= 0x10000) {
      fmt::format_to(sink, "\\u{:04x}\\u{:04x}", 0xD800 + ((point - 0x10000) >> 10),
                     0xDC00 + ((point - 0x10000) & 0x3FF));
    } else {
      out.append(text.substr(at, decoded.bytes));
    }
    at += decoded.bytes;
  }
  out += '"';
}

class JsonWriter {
 public:
  JsonWriter(std::string& out, const JsonStyle& style) : out_(out), style_(style) {
    items_ = !style.item_separator.empty() ? style.item_separator : style.indent >= 0 ? "," : ", ";
    keys_ = style.key_separator.empty() ? ": " : style.key_separator;
  }

  Result<void> write(const Value& value, int depth) {
    if (depth > limits::kTemplateDepthMax) return too_deep();
    if (const auto* list = value.list()) return write_list(*list, depth);
    if (value.is_mapping()) return write_map(*value.map(), depth);
    if (const auto* text = value.text()) {
      append_json_text(out_, *text, style_.ascii);
    } else if (value.is_none()) {
      out_ += "null";
    } else if (const auto* boolean = value.boolean()) {
      out_ += *boolean ? "true" : "false";
    } else if (const auto* real = value.real()) {
      if (!std::isfinite(*real)) return unsupported("tojson of an infinity");
      out_ += float_text(*real);
    } else if (const auto* integer = value.integer()) {
      fmt::format_to(std::back_inserter(out_), "{}", *integer);
    } else {
      return fail(Code::kInvalidArgument, "tojson of a value that JSON does not have");
    }
    return {};
  }

 private:
  void break_line(int depth) {
    if (style_.indent < 0) return;
    out_ += '\n';
    out_.append(static_cast<std::size_t>(style_.indent) * static_cast<std::size_t>(depth), ' ');
  }

  Result<void> write_list(const List& list, int depth) {
    if (!is_plain_list(list)) return fail(Code::kInvalidArgument, "tojson of an iterator");
    if (list.items.empty()) {
      out_ += "[]";
      return {};
    }
    out_ += '[';
    for (std::size_t i = 0; i < list.items.size(); ++i) {
      if (i > 0) out_ += items_;
      break_line(depth + 1);
      SBX_CHECK_OK(write(list.items[i], depth + 1));
    }
    break_line(depth);
    out_ += ']';
    return {};
  }

  Result<void> write_map(const Map& map, int depth) {
    if (map.members.empty()) {
      out_ += "{}";
      return {};
    }
    std::vector<const std::pair<std::string, Value>*> members;
    for (const auto& member : map.members) members.push_back(&member);
    if (style_.sort_keys)
      std::ranges::sort(members, [](const auto* a, const auto* b) { return a->first < b->first; });
    out_ += '{';
    bool first = true;
    for (const auto* member : members) {
      if (!first) out_ += items_;
      first = false;
      break_line(depth + 1);
      append_json_text(out_, member->first, style_.ascii);
      out_ += keys_;
      SBX_CHECK_OK(write(member->second, depth + 1));
    }
    break_line(depth);
    out_ += '}';
    return {};
  }

  std::string& out_;
  const JsonStyle& style_;
  std::string items_, keys_;
};

}  // namespace

const Value* Map::find(std::string_view key) const {
  const auto found =
      std::ranges::find_if(members, [key](const auto& member) { return member.first == key; });
  return found == members.end() ? nullptr : &found->second;
}

void Map::set(std::string_view key, Value value) {
  for (auto& member : members) {
    if (member.first != key) continue;
    member.second = std::move(value);
    return;
  }
  members.emplace_back(std::string(key), std::move(value));
}

Value::Value(List list) {
  for (const Value& one : list.items) {
    list.depth = std::max(list.depth, 1 + one.depth());
    list.holds_namespace = list.holds_namespace || one.holds_namespace();
  }
  data_ = std::make_shared<List>(std::move(list));
}

Value::Value(Map map) {
  for (const auto& [key, one] : map.members) {
    map.depth = std::max(map.depth, 1 + one.depth());
    map.holds_namespace = map.holds_namespace || one.holds_namespace();
  }
  data_ = std::make_shared<Map>(std::move(map));
}

int Value::depth() const {
  if (const List* items = list()) return items->depth;
  return map() ? map()->depth : 0;
}

bool Value::holds_namespace() const {
  if (const List* items = list()) return items->holds_namespace;
  if (map()) return map()->is_namespace || map()->holds_namespace;
  return loop() != nullptr || (function() != nullptr && function()->method);
}

bool Value::is_number() const { return boolean() || integer() || real(); }

double Value::as_double() const {
  if (real()) return *real();
  return static_cast<double>(as_integer());
}

std::int64_t Value::as_integer() const {
  if (boolean()) return *boolean() ? 1 : 0;
  return integer() ? *integer() : 0;
}

bool Value::truth() const {
  if (is_undefined() || is_none()) return false;
  if (is_number()) return as_double() != 0;
  if (text()) return !text()->empty();
  if (const List* items = list())
    return items->form == List::Form::kGenerator || !items->items.empty();
  if (is_mapping()) return !map()->members.empty();
  return true;
}

bool Value::same_object(const Value& other) const {
  if (data_.index() != other.data_.index()) return false;
  if (is_undefined() || is_none()) return true;
  if (boolean()) return *boolean() == *other.boolean();
  if (list()) return list() == other.list();
  if (map()) return map() == other.map();
  return false;
}

Result<bool> equal(const Value& a, const Value& b, int depth) {
  if (depth > limits::kTemplateDepthMax) return too_deep();
  if (a.is_number() && b.is_number()) {
    if (a.real() || b.real()) return a.as_double() == b.as_double();
    return a.as_integer() == b.as_integer();
  }
  if (a.text() && b.text()) return *a.text() == *b.text();
  if (a.list() && b.list()) return equal_lists(*a.list(), *b.list(), depth);
  if (a.map() && b.map()) return equal_maps(*a.map(), *b.map(), depth);
  if (a.is_none() || b.is_none()) return a.is_none() && b.is_none();
  if (a.is_undefined() || b.is_undefined()) return a.is_undefined() && b.is_undefined();
  if (a.function() && b.function()) return unsupported("comparing functions");
  return false;
}

Result<std::string> to_text(const Value& value) {
  if (const auto* text = value.text()) return *text;
  if (value.is_undefined()) return std::string();
  if (value.is_none()) return std::string("None");
  if (const auto* boolean = value.boolean()) return std::string(*boolean ? "True" : "False");
  if (const auto* integer = value.integer()) return std::to_string(*integer);
  if (const auto* real = value.real()) return float_text(*real);
  if (value.list() || value.is_mapping()) {
    std::string out;
    SBX_CHECK_OK(append_repr(out, value, 0));
    return out;
  }
  return unsupported("printing a function or an object");
}

Result<std::string> to_json(const Value& value, const JsonStyle& style) {
  std::string out;
  SBX_CHECK_OK(JsonWriter(out, style).write(value, 0));
  return out;
}

}  // namespace signalbox::chat_template
