#include "chat_template/operations.h"

#include <algorithm>
#include <optional>

#include "chat_template/known.h"
#include "chat_template/python_text.h"
#include "tokenize/unicode.h"

namespace signalbox::chat_template {
namespace {

constexpr std::size_t kMembersPerStep = 16;

Value method_of(const Value& self, std::string_view name) {
  return Value(Function{.name = std::string(name), .self = self, .method = true});
}

Value loop_attribute(const Value& value, std::string_view name) {
  const Loop& loop = *value.loop();
  const auto number = [](std::size_t count) { return Value(static_cast<std::int64_t>(count)); };
  if (name == "index") return number(loop.at + 1);
  if (name == "index0") return number(loop.at);
  if (name == "revindex") return number(loop.items.size() - loop.at);
  if (name == "revindex0") return number(loop.items.size() - loop.at - 1);
  if (name == "first") return Value(loop.at == 0);
  if (name == "last") return Value(loop.at + 1 == loop.items.size());
  if (name == "length") return number(loop.items.size());
  if (name == "depth") return number(1);  // of recursion, not of loops in loops
  if (name == "depth0") return number(0);
  if (name == "previtem") return loop.at == 0 ? Value() : loop.items[loop.at - 1];
  if (name == "nextitem")
    return loop.at + 1 == loop.items.size() ? Value() : loop.items[loop.at + 1];
  if (name == "cycle") return method_of(value, name);
  return Value();
}

// Where an index leads; nothing beyond the ends.
std::optional<std::size_t> place_of(std::int64_t index, std::size_t size) {
  const auto count = static_cast<std::int64_t>(size);
  if (index < -count || index >= count) return std::nullopt;
  return static_cast<std::size_t>(index < 0 ? index + count : index);
}

bool has_places(const List& list) {
  return list.form == List::Form::kList || list.form == List::Form::kTuple ||
         list.form == List::Form::kRange;
}

bool is_whole(const Value& value) { return value.integer() || value.boolean(); }

Result<Value> whole_arithmetic(std::string_view word, std::int64_t a, std::int64_t b) {
  std::int64_t out = 0;
  bool overflow = false;
  if (word == "+") {
    overflow = __builtin_add_overflow(a, b, &out);
  } else if (word == "-") {
    overflow = __builtin_sub_overflow(a, b, &out);
  } else if (word == "*") {
    overflow = __builtin_mul_overflow(a, b, &out);
  } else {
    if (b == 0) return refused("division by zero");
    if (word == "/") return Value(static_cast<double>(a) / static_cast<double>(b));
    if (b == -1) {
      overflow = word == "//" && __builtin_sub_overflow(std::int64_t{0}, a, &out);
    } else {
      const std::int64_t rest = a % b;
      const bool turned = rest != 0 && (rest < 0) != (b < 0);  // Python rounds down
      out = word == "//" ? a / b - (turned ? 1 : 0) : turned ? rest + b : rest;
    }
  }
  if (overflow) return not_done("arithmetic beyond 64 bits");
  return Value(out);
}

Result<Value> real_arithmetic(std::string_view word, double a, double b) {
  if (word == "+") return Value(a + b);
  if (word == "-") return Value(a - b);
  if (word == "*") return Value(a * b);
  if (b == 0) return refused("division by zero");
  if (word == "/") return Value(a / b);
  return not_done("// and % of floats");
}

Result<Value> add_lists(Budget& budget, const List& left, const List& right) {
  const bool plain = (left.form == List::Form::kList || left.form == List::Form::kTuple) &&
                     left.form == right.form;
  if (!plain) return refused("these sequences cannot be added");
  SBX_CHECK_OK(budget.step(left.items.size() + right.items.size()));
  List sum{.form = left.form, .items = left.items};
  sum.items.insert(sum.items.end(), right.items.begin(), right.items.end());
  return Value(std::move(sum));
}

Result<bool> less(const Value& left, const Value& right, bool or_equal) {
  if (left.is_number() && right.is_number()) {
    if (left.real() || right.real()) {
      return or_equal ? left.as_double() <= right.as_double()
                      : left.as_double() < right.as_double();
    }
    return or_equal ? left.as_integer() <= right.as_integer()
                    : left.as_integer() < right.as_integer();
  }
  if (left.text() && right.text())
    return or_equal ? *left.text() <= *right.text() : *left.text() < *right.text();
  if (left.list() && right.list()) return not_done("the order of sequences");
  return refused("these values have no order");
}

Result<bool> contains(Budget& budget, const Value& container, const Value& wanted) {
  if (const auto* text = container.text()) {
    if (!wanted.text()) return refused("only text can be in text");
    SBX_CHECK_OK(budget.step(1 + text->size() / limits::kTemplateBytesPerStep));
    return text->find(*wanted.text()) != std::string::npos;
  }
  if (container.is_mapping()) {
    SBX_CHECK_OK(budget.step(1 + container.map()->members.size() / kMembersPerStep));
    if (wanted.list() || wanted.map()) return refused("no key");
    return wanted.text() != nullptr && container.map()->find(*wanted.text()) != nullptr;
  }
  if (container.is_undefined()) return false;
  if (!container.list()) return refused("not a container");
  SBX_TRY(const auto items, elements(budget, container));
  for (const Value& element : items) {
    SBX_TRY(const bool same, equal(element, wanted));
    if (same) return true;
  }
  return false;
}

Result<std::optional<std::int64_t>> bound_of(const Value& value) {
  if (value.is_none() || value.is_undefined()) return std::nullopt;
  if (!is_whole(value)) return refused("bounds of a slice are whole numbers");
  return value.as_integer();
}

}  // namespace

std::unexpected<Error> refused(std::string_view why) {
  return fail(Code::kInvalidArgument, std::string(why));
}
std::unexpected<Error> not_done(std::string_view what) {
  return fail(Code::kUnsupported, std::string(what) + " is not supported");
}

Result<void> Budget::step(std::size_t count) {
  if (count > steps_) return fail(Code::kPayloadTooLarge, "the template takes too many steps");
  steps_ -= count;
  return {};
}

Result<void> Budget::bytes(std::size_t count) {
  if (count > bytes_) return fail(Code::kPayloadTooLarge, "the template makes too much text");
  bytes_ -= count;
  return {};
}

Result<Value> Budget::text(std::string made) {
  SBX_CHECK_OK(bytes(made.size()));
  return Value(std::move(made));
}

Value Arguments::take(std::size_t place, std::string_view name) const {
  if (place < placed.size()) return placed[place];
  for (const auto& [key, value] : named) {
    if (key == name) return value;
  }
  return Value();
}

bool Arguments::has(std::size_t place, std::string_view name) const {
  return place < placed.size() ||
         std::ranges::any_of(named, [name](const auto& one) { return one.first == name; });
}

Result<void> Arguments::only(std::size_t most,
                             std::initializer_list<std::string_view> names) const {
  if (placed.size() > most) return refused("too many arguments");
  for (const auto& [key, value] : named) {
    const auto at = std::ranges::find(names, key);
    if (at == names.end()) return refused("an unknown argument");
    if (static_cast<std::size_t>(at - names.begin()) < placed.size())
      return refused("an argument is given twice");
  }
  return {};
}

Result<Value> attribute(Budget& budget, const Value& value, std::string_view name) {
  if (value.is_undefined()) return refused("a member of something undefined");
  if (const Map* map = value.map()) {
    SBX_CHECK_OK(budget.step(1 + map->members.size() / kMembersPerStep));
    if (!map->is_namespace && has_method(Owner::kDict, name)) return method_of(value, name);
    const Value* found = map->find(name);
    return found == nullptr ? Value() : *found;
  }
  if (value.text()) return has_method(Owner::kText, name) ? method_of(value, name) : Value();
  if (const List* list = value.list()) {
    const bool has = list->form == List::Form::kList ? has_method(Owner::kList, name)
                                                     : name == "count" || name == "index";
    return has ? method_of(value, name) : Value();
  }
  if (value.loop()) return loop_attribute(value, name);
  if (value.function()) return not_done("a member of a function");
  return Value();
}

Result<Value> item(Budget& budget, const Value& value, const Value& key) {
  if (value.is_undefined()) return refused("a member of something undefined");
  SBX_CHECK_OK(budget.step());
  if (const auto* text = value.text(); text && is_whole(key)) {
    SBX_CHECK_OK(budget.step(text->size() / limits::kTemplateBytesPerStep));
    const auto place = place_of(key.as_integer(), length(*text));
    if (!place) return Value();
    const auto at = static_cast<std::int64_t>(*place);
    return Value(chat_template::slice(*text, at, at + 1, 1).value_or(""));
  }
  if (const List* list = value.list(); list && is_whole(key)) {
    if (!has_places(*list)) return Value();
    const auto place = place_of(key.as_integer(), list->items.size());
    return place ? list->items[*place] : Value();
  }
  const auto* name = key.text();
  if (name == nullptr) return Value();
  if (value.is_mapping()) {
    SBX_CHECK_OK(budget.step(value.map()->members.size() / kMembersPerStep));
    if (const Value* found = value.map()->find(*name)) return *found;
  }
  return attribute(budget, value, *name);
}

Result<Value> slice(Budget& budget, const Value& value, const Value& start, const Value& stop,
                    const Value& step) {
  SBX_TRY(const auto from, bound_of(start));
  SBX_TRY(const auto to, bound_of(stop));
  SBX_TRY(const auto stride, bound_of(step));
  if (stride == 0) return refused("the step of a slice is zero");
  if (const auto* text = value.text()) {
    SBX_CHECK_OK(budget.step(1 + text->size() / limits::kTemplateBytesPerStep));
    return budget.text(*chat_template::slice(*text, from, to, stride.value_or(1)));
  }
  const List* list = value.list();
  if (value.is_undefined() || list == nullptr || !has_places(*list))
    return value.is_undefined() ? Result<Value>(refused("a slice of something undefined"))
                                : Result<Value>(Value());
  const auto places = slice_positions(list->items.size(), from, to, stride.value_or(1));
  SBX_CHECK_OK(budget.step(places.size()));
  List out{.form = list->form, .items = {}};
  for (const std::size_t place : places) out.items.push_back(list->items[place]);
  return Value(std::move(out));
}

Result<Value> arithmetic(Budget& budget, std::string_view word, const Value& left,
                         const Value& right) {
  if (left.is_number() && right.is_number()) {
    if (is_whole(left) && is_whole(right))
      return whole_arithmetic(word, left.as_integer(), right.as_integer());
    return real_arithmetic(word, left.as_double(), right.as_double());
  }
  if (left.is_safe_text() || right.is_safe_text()) return not_done("arithmetic with `safe` text");
  if (word == "+" && left.text() && right.text()) return budget.text(*left.text() + *right.text());
  if (word == "+" && left.list() && right.list())
    return add_lists(budget, *left.list(), *right.list());
  if (word == "*" && left.text() && is_whole(right)) {
    const auto count = static_cast<std::size_t>(std::max<std::int64_t>(0, right.as_integer()));
    if (count == 0 || left.text()->empty()) return Value("");
    if (count > limits::kTemplateOutputBytesMax)
      return fail(Code::kPayloadTooLarge, "the template makes too much text");
    SBX_CHECK_OK(budget.bytes(count * left.text()->size()));
    std::string out;
    for (std::size_t i = 0; i < count; ++i) out += *left.text();
    return Value(std::move(out));
  }
  if (word == "%" && left.text()) return not_done("formatting with %");
  if (word == "*" && (left.list() || right.list() || right.text()))
    return not_done("multiplying a sequence");
  return refused("these values do not go together");
}

Result<bool> compare(Budget& budget, std::string_view word, const Value& left, const Value& right) {
  if (word == "==" || word == "!=") {
    SBX_TRY(const bool same, equal(left, right));
    return same == (word == "==");
  }
  if (word == "in" || word == "not in") {
    SBX_TRY(const bool there, contains(budget, right, left));
    return there == (word == "in");
  }
  if (word == "<" || word == "<=") return less(left, right, word == "<=");
  return less(right, left, word == ">=");
}

Result<std::vector<Value>> elements(Budget& budget, const Value& value) {
  std::vector<Value> out;
  if (value.is_undefined()) return out;
  if (List* list = value.list()) {
    SBX_CHECK_OK(budget.step(list->items.size()));
    if (list->consumed) return out;
    list->consumed = list->form == List::Form::kGenerator;
    return list->items;
  }
  if (value.is_mapping()) {
    SBX_CHECK_OK(budget.step(value.map()->members.size()));
    for (const auto& [key, member] : value.map()->members) out.emplace_back(key);
    return out;
  }
  if (const auto* text = value.text()) {
    SBX_CHECK_OK(budget.step(text->size()));
    for (std::size_t at = 0; at < text->size();) {
      const std::string_view rest = std::string_view(*text).substr(at);
      const std::size_t bytes = tokenize::decode_utf8(rest).bytes;
      out.emplace_back(rest.substr(0, bytes));
      at += bytes;
    }
    return out;
  }
  return refused("not something to walk through");
}

Result<std::int64_t> length_of(const Value& value) {
  if (value.is_undefined()) return 0;
  if (const auto* text = value.text()) return static_cast<std::int64_t>(length(*text));
  if (value.is_mapping()) return static_cast<std::int64_t>(value.map()->members.size());
  if (const List* list = value.list(); list && list->form != List::Form::kGenerator)
    return static_cast<std::int64_t>(list->items.size());
  return refused("something without a length");
}

}  // namespace signalbox::chat_template
