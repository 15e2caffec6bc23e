#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

#include "base/text.h"
#include "chat_template/operations.h"
#include "chat_template/python_text.h"

namespace signalbox::chat_template {
namespace {

using Input = const Value&;
using Given = const Arguments&;

Result<Value> made_list(std::vector<Value> items, List::Form form = List::Form::kList) {
  return Value(List{.form = form, .items = std::move(items)});
}

// A member by a path such as "function.name", as `map` and `selectattr` read it.
Result<Value> by_path(Budget& budget, Value value, std::string_view path) {
  for (;;) {
    const std::size_t dot = path.find('.');
    const std::string_view part = path.substr(0, dot);
    const auto index = parse_uint(part);
    SBX_TRY(value,
            item(budget, value, index ? Value(static_cast<std::int64_t>(*index)) : Value(part)));
    if (dot == std::string_view::npos) return value;
    path.remove_prefix(dot + 1);
  }
}

Result<Value> letters(Budget& budget, std::string_view name, Input input) {
  SBX_TRY(const auto text, to_text(input));
  if (!is_ascii(text)) return not_done("the case of text beyond ASCII");
  if (name == "upper") return budget.text(upper_ascii(text));
  if (name == "lower") return budget.text(lower_ascii(text));
  if (name == "capitalize") return budget.text(capitalize_ascii(text));
  // The filter, other than the method, starts words after white space, hyphens and brackets only.
  std::string out = lower_ascii(text);
  bool begins = true;
  for (char& c : out) {
    if (begins) c = upper_ascii(std::string_view(&c, 1))[0];
    begins = std::string_view("-({[<").find(c) != std::string_view::npos ||
             is_space(static_cast<unsigned char>(c));
  }
  return budget.text(std::move(out));
}

Result<Value> trim_filter(Budget& budget, Input input, Given given) {
  SBX_CHECK_OK(given.only(1, {"chars"}));
  SBX_TRY(const auto text, to_text(input));
  const Value characters = given.take(0, "chars");
  if (characters.is_undefined() || characters.is_none())
    return budget.text(std::string(strip(text, Side::kBoth)));
  if (!characters.text()) return refused("trim takes text");
  return budget.text(std::string(strip(text, Side::kBoth, *characters.text())));
}

Result<Value> default_filter(Input input, Given given) {
  SBX_CHECK_OK(given.only(2, {"default_value", "boolean"}));
  const bool replaced =
      input.is_undefined() || (given.take(1, "boolean").truth() && !input.truth());
  if (!replaced) return input;
  return given.has(0, "default_value") ? given.take(0, "default_value") : Value("");
}

Result<Value> replace_filter(Budget& budget, Input input, Given given) {
  SBX_CHECK_OK(given.only(3, {"old", "new", "count"}));
  SBX_TRY(auto text, to_text(input));
  SBX_TRY(const auto old, to_text(given.take(0, "old")));
  SBX_TRY(const auto by, to_text(given.take(1, "new")));
  Arguments arguments{.placed = {Value(old), Value(by)}, .named = {}};
  if (const Value count = given.take(2, "count"); count.integer())
    arguments.placed.push_back(count);
  return call_method(budget, {.name = "replace", .self = Value(std::move(text)), .method = true},
                     arguments);
}

Result<Value> tojson_filter(Budget& budget, Input input, Given given) {
  SBX_CHECK_OK(given.only(4, {"ensure_ascii", "indent", "separators", "sort_keys"}));
  JsonStyle style;
  style.ascii = given.take(0, "ensure_ascii").truth();
  const Value indent = given.take(1, "indent");
  if (indent.integer()) {
    if (*indent.integer() < 0 || *indent.integer() > 16) return not_done("such an indent");
    style.indent = static_cast<int>(*indent.integer());
  } else if (!indent.is_undefined() && !indent.is_none()) {
    return not_done("an indent that is no number");
  }
  const Value separators = given.take(2, "separators");
  if (const List* pair = separators.list()) {
    if (pair->items.size() != 2 || !pair->items[0].text() || !pair->items[1].text() ||
        pair->items[0].text()->empty() || pair->items[1].text()->empty())
      return not_done("such separators");
    style.item_separator = *pair->items[0].text();
    style.key_separator = *pair->items[1].text();
  } else if (!separators.is_undefined() && !separators.is_none()) {
    return refused("separators are a pair");
  }
  style.sort_keys = given.take(3, "sort_keys").truth();
  SBX_TRY(auto text, to_json(input, style));
  return budget.text(std::move(text));
}

Result<Value> indent_filter(Budget& budget, Input input, Given given) {
  SBX_CHECK_OK(given.only(3, {"width", "first", "blank"}));
  if (!input.text()) return refused("indent takes text");
  const Value width = given.take(0, "width");
  std::string indention(4, ' ');
  if (width.text()) indention = *width.text();
  if (width.integer()) {
    if (*width.integer() > 1024) return not_done("so wide an indent");
    indention.assign(static_cast<std::size_t>(std::max<std::int64_t>(0, *width.integer())), ' ');
  }
  const bool blank = given.take(2, "blank").truth();
  const std::string text = *input.text() + "\n";
  const auto lines = split_lines(text);
  SBX_CHECK_OK(budget.step(lines.size()));
  SBX_CHECK_OK(budget.bytes(text.size() + lines.size() * (indention.size() + 1)));
  std::string out = given.take(1, "first").truth() ? indention : std::string();
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (i > 0) out += '\n';
    if (i > 0 && (blank || !lines[i].empty())) out += indention;
    out += lines[i];
  }
  return Value(std::move(out));
}

Result<Value> int_filter(Input input, Given given) {
  SBX_CHECK_OK(given.only(1, {"default"}));
  const Value otherwise =
      given.has(0, "default") ? given.take(0, "default") : Value(std::int64_t{0});
  if (input.integer() || input.boolean()) return Value(input.as_integer());
  double real = 0;
  if (const auto* text = input.text()) {
    std::string_view digits = strip(*text, Side::kBoth);
    if (digits.starts_with('+')) digits.remove_prefix(1);
    std::int64_t whole = 0;
    const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), whole);
    if (read.ec == std::errc() && read.ptr == digits.data() + digits.size()) return Value(whole);
    if (digits.find('_') != std::string_view::npos) return not_done("numbers with underscores");
    const auto parsed = parse_double(digits);
    if (!parsed) return otherwise;
    real = *parsed;
  } else if (input.real()) {
    real = *input.real();
  } else {
    return otherwise;
  }
  if (!(std::abs(real) < 9e18)) return not_done("arithmetic beyond 64 bits");
  return Value(static_cast<std::int64_t>(real));
}

Result<Value> float_filter(Input input, Given given) {
  SBX_CHECK_OK(given.only(1, {"default"}));
  if (input.is_number()) return Value(input.as_double());
  const auto parsed = input.text() ? parse_double(strip(*input.text(), Side::kBoth)) : std::nullopt;
  if (parsed) return Value(*parsed);
  return given.has(0, "default") ? given.take(0, "default") : Value(0.0);
}

Result<Value> join_filter(Budget& budget, Input input, Given given) {
  SBX_CHECK_OK(given.only(2, {"d", "attribute"}));
  SBX_TRY(const auto items, elements(budget, input));
  SBX_TRY(const auto between, to_text(given.take(0, "d")));
  const Value path = given.take(1, "attribute");
  std::string out;
  for (std::size_t i = 0; i < items.size(); ++i) {
    Value part = items[i];
    if (path.text()) {
      SBX_TRY(part, by_path(budget, part, *path.text()));
    }
    SBX_TRY(const auto text, to_text(part));
    SBX_CHECK_OK(budget.bytes(text.size() + between.size()));
    if (i > 0) out += between;
    out += text;
  }
  return Value(std::move(out));
}

Arguments without_first(Given given, std::size_t count) {
  Arguments rest = given;
  const auto drop = std::min(count, rest.placed.size());
  rest.placed.erase(rest.placed.begin(), rest.placed.begin() + static_cast<std::ptrdiff_t>(drop));
  return rest;
}

Result<Value> map_filter(Budget& budget, Input input, Given given) {
  SBX_TRY(const auto items, elements(budget, input));
  std::vector<Value> out;
  const Value path = given.take(std::size_t(-1), "attribute");
  if (given.placed.empty() && path.text()) {
    SBX_CHECK_OK(given.only(0, {"attribute", "default"}));
    for (const Value& one : items) {
      SBX_TRY(auto member, by_path(budget, one, *path.text()));
      if (member.is_undefined()) member = given.take(std::size_t(-1), "default");
      out.push_back(std::move(member));
    }
    return made_list(std::move(out), List::Form::kGenerator);
  }
  if (given.placed.empty() || !given.placed[0].text()) return refused("map takes a filter");
  const std::string filter = *given.placed[0].text();
  const Arguments rest = without_first(given, 1);
  for (const Value& one : items) {
    SBX_TRY(auto mapped, apply_filter(budget, filter, one, rest));
    out.push_back(std::move(mapped));
  }
  return made_list(std::move(out), List::Form::kGenerator);
}

Result<Value> select_filter(Budget& budget, Input input, Given given, bool wanted,
                            bool by_attribute) {
  SBX_TRY(const auto items, elements(budget, input));
  const std::size_t place = by_attribute ? 1 : 0;
  if (by_attribute && (given.placed.empty() || !given.placed[0].text()))
    return not_done("selecting by something else than a name");
  const std::string path = by_attribute ? *given.placed[0].text() : std::string();
  const bool tests = given.placed.size() > place;
  if (tests && !given.placed[place].text()) return refused("a test is named by text");
  const std::string test = tests ? *given.placed[place].text() : std::string();
  const Arguments rest = without_first(given, place + 1);
  std::vector<Value> out;
  for (const Value& one : items) {
    Value judged = one;
    if (by_attribute) {
      SBX_TRY(judged, by_path(budget, one, path));
    }
    bool passes = judged.truth();
    if (tests) {
      SBX_TRY(passes, apply_test(budget, test, judged, rest));
    }
    if (passes == wanted) out.push_back(one);
  }
  return made_list(std::move(out), List::Form::kGenerator);
}

Result<Value> end_filter(Budget& budget, Input input, bool first) {
  if (const List* list = input.list(); list && !first && list->form == List::Form::kGenerator)
    return refused("last of a generator");
  SBX_TRY(const auto items, elements(budget, input));
  if (items.empty()) return Value();
  return first ? items.front() : items.back();
}

Result<Value> reverse_filter(Budget& budget, Input input) {
  if (const auto* text = input.text()) return budget.text(*slice(*text, {}, {}, -1));
  SBX_TRY(auto items, elements(budget, input));
  std::ranges::reverse(items);
  return made_list(std::move(items), List::Form::kGenerator);
}

Result<Value> unique_filter(Budget& budget, Input input, Given given) {
  SBX_CHECK_OK(given.only(0, {}));
  SBX_TRY(const auto items, elements(budget, input));
  std::vector<Value> out;
  for (const Value& one : items) {
    if (one.text() && !is_ascii(*one.text())) return not_done("the case of text beyond ASCII");
    const auto folded = [](const Value& value) {
      return value.text() ? Value(lower_ascii(*value.text())) : value;
    };
    bool seen = false;
    SBX_CHECK_OK(budget.step(out.size()));
    for (const Value& earlier : out) {
      SBX_TRY(const bool same, equal(folded(earlier), folded(one)));
      seen = seen || same;
    }
    if (!seen) out.push_back(one);
  }
  return made_list(std::move(out), List::Form::kGenerator);
}

Result<Value> pairs_filter(Budget& budget, Input input, bool sorted) {
  if (input.is_undefined() && !sorted) return made_list({}, List::Form::kGenerator);
  if (!input.is_mapping()) return refused("not a mapping");
  const Map& map = *input.map();
  SBX_CHECK_OK(budget.step(map.members.size()));
  std::vector<std::pair<std::string, Value>> members = map.members;
  if (sorted) {
    for (const auto& [key, value] : members) {
      if (!is_ascii(key)) return not_done("the case of text beyond ASCII");
    }
    std::ranges::stable_sort(members, [](const auto& a, const auto& b) {
      return lower_ascii(a.first) < lower_ascii(b.first);
    });
  }
  std::vector<Value> out;
  for (auto& [key, value] : members) {
    out.emplace_back(List{.form = List::Form::kTuple, .items = {Value(key), value}});
  }
  return made_list(std::move(out), sorted ? List::Form::kList : List::Form::kGenerator);
}

Result<Value> absolute(Input input) {
  if (input.real()) return Value(std::abs(*input.real()));
  if (!input.is_number()) return refused("not a number");
  if (input.as_integer() == INT64_MIN) return not_done("arithmetic beyond 64 bits");
  return Value(std::abs(input.as_integer()));
}

}  // namespace

Result<Value> apply_filter(Budget& budget, std::string_view name, Input input, Given given) {
  SBX_CHECK_OK(budget.step());
  if (input.text()) SBX_CHECK_OK(budget.step(input.text()->size() / limits::kTemplateBytesPerStep));
  if (name == "trim") return trim_filter(budget, input, given);
  if (name == "tojson") return tojson_filter(budget, input, given);
  if (name == "default" || name == "d") return default_filter(input, given);
  if (name == "replace") return replace_filter(budget, input, given);
  if (name == "indent") return indent_filter(budget, input, given);
  if (name == "int") return int_filter(input, given);
  if (name == "float") return float_filter(input, given);
  if (name == "join") return join_filter(budget, input, given);
  if (name == "map") return map_filter(budget, input, given);
  if (name == "select" || name == "reject")
    return select_filter(budget, input, given, name == "select", false);
  if (name == "selectattr" || name == "rejectattr")
    return select_filter(budget, input, given, name == "selectattr", true);
  if (name == "unique") return unique_filter(budget, input, given);
  if (!given.placed.empty() || !given.named.empty())
    return not_done("arguments of the filter " + std::string(name));
  if (name == "upper" || name == "lower" || name == "capitalize" || name == "title")
    return letters(budget, name, input);
  if (name == "length" || name == "count") {
    SBX_TRY(const auto count, length_of(input));
    return Value(count);
  }
  if (name == "first" || name == "last") return end_filter(budget, input, name == "first");
  if (name == "list") {
    SBX_TRY(auto items, elements(budget, input));
    return made_list(std::move(items));
  }
  if (name == "string" || name == "safe") {
    SBX_TRY(auto text, to_text(input));
    SBX_CHECK_OK(budget.bytes(text.size()));
    return Value(std::move(text), name == "safe");
  }
  if (name == "reverse") return reverse_filter(budget, input);
  if (name == "items" || name == "dictsort") return pairs_filter(budget, input, name == "dictsort");
  if (name == "abs") return absolute(input);
  return not_done("the filter " + std::string(name));
}

}  // namespace signalbox::chat_template
