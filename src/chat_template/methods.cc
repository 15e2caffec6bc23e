// Methods of texts, dicts, lists and `loop`.
#include <algorithm>
#include <utility>

#include "chat_template/operations.h"
#include "chat_template/python_text.h"

namespace signalbox::chat_template {
namespace {

Result<std::int64_t> count_argument(const Arguments& arguments, std::size_t place,
                                    std::string_view name) {
  if (!arguments.has(place, name)) return -1;
  const Value value = arguments.take(place, name);
  if (!value.integer() && !value.boolean()) return refused("a count is a whole number");
  return value.as_integer();
}

Result<Value> list_of(Budget& budget, const std::vector<std::string_view>& parts,
                      List::Form form = List::Form::kList) {
  SBX_CHECK_OK(budget.step(parts.size()));
  List list{.form = form, .items = {}};
  for (const std::string_view part : parts) {
    SBX_TRY(auto text, budget.text(std::string(part)));
    list.items.push_back(std::move(text));
  }
  return Value(std::move(list));
}

Result<Value> strip_method(Budget& budget, const std::string& text, Side side,
                           const Arguments& arguments) {
  SBX_CHECK_OK(arguments.only(1, {}));
  const Value characters = arguments.take(0, "");
  if (arguments.placed.empty() || characters.is_none())
    return budget.text(std::string(strip(text, side)));
  if (!characters.text()) return refused("strip() takes text");
  return budget.text(std::string(strip(text, side, *characters.text())));
}

Result<Value> split_method(Budget& budget, const std::string& text, bool from_right,
                           const Arguments& arguments) {
  SBX_CHECK_OK(arguments.only(2, {"sep", "maxsplit"}));
  SBX_TRY(const auto most, count_argument(arguments, 1, "maxsplit"));
  const Value separator = arguments.take(0, "sep");
  if (separator.is_undefined() || separator.is_none()) {
    if (from_right && most >= 0) return not_done("rsplit() at white space");
    return list_of(budget, split_space(text, most));
  }
  if (!separator.text() || separator.text()->empty()) return refused("split() takes text");
  return list_of(budget, from_right ? split_from_right(text, *separator.text(), most)
                                    : split(text, *separator.text(), most));
}

Result<Value> ends_method(const std::string& text, bool at_end, const Arguments& arguments) {
  if (arguments.placed.size() > 1) return not_done("startswith() and endswith() with a range");
  SBX_CHECK_OK(arguments.only(1, {}));
  const auto matches = [&](const std::string& part) {
    return at_end ? text.ends_with(part) : text.starts_with(part);
  };
  const Value wanted = arguments.take(0, "");
  if (wanted.text()) return Value(matches(*wanted.text()));
  const List* several = wanted.list();
  if (several == nullptr || several->form != List::Form::kTuple)
    return refused("startswith() and endswith() take text");
  for (const Value& one : several->items) {
    if (!one.text()) return refused("startswith() and endswith() take text");
    if (matches(*one.text())) return Value(true);
  }
  return Value(false);
}

Result<Value> find_method(const std::string& text, std::string_view name,
                          const Arguments& arguments) {
  if (arguments.placed.size() != 1) return not_done("searching in a range of text");
  SBX_CHECK_OK(arguments.only(1, {}));
  const Value wanted = arguments.take(0, "");
  if (!wanted.text()) return refused("searching text takes text");
  if (name == "count") {
    if (wanted.text()->empty()) return Value(static_cast<std::int64_t>(length(text) + 1));
    std::int64_t count = 0;
    for (std::size_t at = text.find(*wanted.text()); at != std::string::npos; ++count)
      at = text.find(*wanted.text(), at + wanted.text()->size());
    return Value(count);
  }
  const std::size_t at = name == "rfind" ? text.rfind(*wanted.text()) : text.find(*wanted.text());
  if (at != std::string::npos)
    return Value(static_cast<std::int64_t>(length(std::string_view(text).substr(0, at))));
  if (name == "index") return refused("index() did not find it");
  return Value(std::int64_t{-1});
}

Result<Value> replace_method(Budget& budget, const std::string& text, const Arguments& arguments) {
  SBX_CHECK_OK(arguments.only(3, {"old", "new", "count"}));
  const Value old = arguments.take(0, "old"), by = arguments.take(1, "new");
  if (!old.text() || !by.text()) return refused("replace() takes text");
  SBX_TRY(const auto most, count_argument(arguments, 2, "count"));
  // Bounded before it is made: every place may grow.
  const std::size_t places =
      old.text()->empty() ? text.size() + 1 : text.size() / old.text()->size();
  if (by.text()->size() > 0 && places > limits::kTemplateOutputBytesMax / by.text()->size())
    return fail(Code::kPayloadTooLarge, "the template makes too much text");
  return budget.text(replace(text, *old.text(), *by.text(), most));
}

Result<Value> partition_method(Budget& budget, const std::string& text, bool from_right,
                               const Arguments& arguments) {
  SBX_CHECK_OK(arguments.only(1, {}));
  const Value separator = arguments.take(0, "");
  if (!separator.text() || separator.text()->empty()) return refused("partition() takes text");
  const std::string_view all = text, cut = *separator.text();
  const std::size_t at = from_right ? all.rfind(cut) : all.find(cut);
  std::vector<std::string_view> parts = {all, "", ""};
  if (from_right) parts = {"", "", all};
  if (at != std::string_view::npos) parts = {all.substr(0, at), cut, all.substr(at + cut.size())};
  return list_of(budget, parts, List::Form::kTuple);
}

Result<Value> letters_method(Budget& budget, const std::string& text, std::string_view name) {
  if (!is_ascii(text)) return not_done("the case of text beyond ASCII");
  if (name == "upper") return budget.text(upper_ascii(text));
  if (name == "lower") return budget.text(lower_ascii(text));
  if (name == "title") return budget.text(title_ascii(text));
  if (name == "capitalize") return budget.text(capitalize_ascii(text));
  const auto all = [&](auto belongs) {
    return Value(!text.empty() && std::ranges::all_of(text, belongs));
  };
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  if (name == "isdigit") return all(digit);
  return all([](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); });
}

Result<Value> join_method(Budget& budget, const std::string& text, const Arguments& arguments) {
  SBX_CHECK_OK(arguments.only(1, {}));
  SBX_TRY(const auto parts, elements(budget, arguments.take(0, "")));
  std::string out;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (!parts[i].text()) return refused("join() takes texts");
    SBX_CHECK_OK(budget.bytes(parts[i].text()->size() + text.size()));
    if (i > 0) out += text;
    out += *parts[i].text();
  }
  return Value(std::move(out));
}

Result<Value> affix_method(Budget& budget, std::string_view text, bool front,
                           const Arguments& arguments) {
  SBX_CHECK_OK(arguments.only(1, {}));
  const Value affix = arguments.take(0, "");
  if (!affix.text()) return refused("removing an affix takes text");
  if (front && text.starts_with(*affix.text())) text.remove_prefix(affix.text()->size());
  if (!front && text.ends_with(*affix.text())) text.remove_suffix(affix.text()->size());
  return budget.text(std::string(text));
}

Result<Value> text_method(Budget& budget, const Value& self, const std::string& name,
                          const Arguments& arguments) {
  if (self.is_safe_text()) return not_done("a method of `safe` text");
  const std::string& text = *self.text();
  SBX_CHECK_OK(budget.step(1 + text.size() / limits::kTemplateBytesPerStep));
  if (name == "strip") return strip_method(budget, text, Side::kBoth, arguments);
  if (name == "lstrip") return strip_method(budget, text, Side::kLeft, arguments);
  if (name == "rstrip") return strip_method(budget, text, Side::kRight, arguments);
  if (name == "split") return split_method(budget, text, false, arguments);
  if (name == "rsplit") return split_method(budget, text, true, arguments);
  if (name == "startswith") return ends_method(text, false, arguments);
  if (name == "endswith") return ends_method(text, true, arguments);
  if (name == "replace") return replace_method(budget, text, arguments);
  if (name == "find" || name == "rfind" || name == "index" || name == "count")
    return find_method(text, name, arguments);
  if (name == "partition" || name == "rpartition")
    return partition_method(budget, text, name == "rpartition", arguments);
  if (name == "join") return join_method(budget, text, arguments);
  if (name == "removeprefix") return affix_method(budget, text, true, arguments);
  if (name == "removesuffix") return affix_method(budget, text, false, arguments);
  if (!arguments.placed.empty() || !arguments.named.empty())
    return not_done("arguments of " + name + "()");
  if (name == "splitlines") return list_of(budget, split_lines(text));
  if (name == "upper" || name == "lower" || name == "title" || name == "capitalize" ||
      name == "isdigit" || name == "isalpha")
    return letters_method(budget, text, name);
  return not_done("the method " + name + " of text");
}

Result<Value> dict_method(Budget& budget, const Value& self, const std::string& name,
                          const Arguments& arguments) {
  const Map& map = *self.map();
  SBX_CHECK_OK(budget.step(map.members.size()));
  if (name == "get") {
    SBX_CHECK_OK(arguments.only(2, {}));
    const Value key = arguments.take(0, "");
    const Value* found = key.text() ? map.find(*key.text()) : nullptr;
    if (found != nullptr) return *found;
    return arguments.placed.size() == 2 ? arguments.placed[1] : Value(None{});
  }
  if (!arguments.placed.empty() || !arguments.named.empty())
    return refused("a method without arguments");
  if (name == "copy") return Value(Map(map));
  List view{.form = List::Form::kView, .items = {}};
  for (const auto& [key, value] : map.members) {
    if (name == "keys") {
      view.items.emplace_back(key);
    } else if (name == "values") {
      view.items.push_back(value);
    } else if (name == "items") {
      List pair{.form = List::Form::kTuple, .items = {}};
      pair.items.emplace_back(key);
      pair.items.push_back(value);
      view.items.emplace_back(std::move(pair));
    }
  }
  if (name == "keys" || name == "values" || name == "items") return Value(std::move(view));
  return not_done("the method " + name + " of a dict");
}

Result<Value> list_method(Budget& budget, const Value& self, const std::string& name,
                          const Arguments& arguments) {
  const List& list = *self.list();
  SBX_CHECK_OK(budget.step(list.items.size()));
  if (name == "copy" && arguments.placed.empty()) return Value(List(list));
  if ((name != "count" && name != "index") || arguments.placed.size() != 1)
    return not_done("the method " + name + " of a list");
  std::int64_t count = 0;
  for (std::size_t i = 0; i < list.items.size(); ++i) {
    SBX_TRY(const bool same, equal(list.items[i], arguments.placed[0]));
    if (same && name == "index") return Value(static_cast<std::int64_t>(i));
    if (same) ++count;
  }
  if (name == "index") return refused("index() did not find it");
  return Value(count);
}

}  // namespace

Result<Value> call_method(Budget& budget, const Function& method, const Arguments& arguments) {
  if (method.self.text()) return text_method(budget, method.self, method.name, arguments);
  if (method.self.is_mapping()) return dict_method(budget, method.self, method.name, arguments);
  if (method.self.list()) return list_method(budget, method.self, method.name, arguments);
  if (const Loop* loop = method.self.loop()) {
    if (arguments.placed.empty()) return refused("cycle() of nothing");
    return arguments.placed[loop->at % arguments.placed.size()];
  }
  return not_done("the method " + method.name);
}

}  // namespace signalbox::chat_template
