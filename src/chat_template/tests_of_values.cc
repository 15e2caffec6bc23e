// What stands behind `is`.
#include "chat_template/known.h"
#include "chat_template/operations.h"
#include "chat_template/python_text.h"

namespace signalbox::chat_template {
namespace {

// Another spelling of a comparison; empty: none.
std::string_view comparison_of(std::string_view name) {
  if (name == "==" || name == "eq" || name == "equalto") return "==";
  if (name == "!=" || name == "ne") return "!=";
  if (name == "<" || name == "lt" || name == "lessthan") return "<";
  if (name == "<=" || name == "le") return "<=";
  if (name == ">" || name == "gt" || name == "greaterthan") return ">";
  if (name == ">=" || name == "ge") return ">=";
  if (name == "in") return "in";
  return {};
}

bool is_sequence(const Value& value) {
  const List* list = value.list();
  return value.is_undefined() || value.text() || value.is_mapping() ||
         (list && list->form != List::Form::kGenerator && list->form != List::Form::kView);
}

Result<bool> divides(const Value& value, const Value& by) {
  if (value.real() || by.real() || !value.is_number() || !by.is_number())
    return refused("not whole numbers");
  if (by.as_integer() == 0) return refused("division by zero");
  return by.as_integer() == -1 || value.as_integer() % by.as_integer() == 0;
}

Result<bool> has_case(const Value& value, bool upper) {
  SBX_TRY(const auto text, to_text(value));
  if (!is_ascii(text)) return not_done("the case of text beyond ASCII");
  const std::string other = upper ? lower_ascii(text) : upper_ascii(text);
  return other != text && (upper ? upper_ascii(text) : lower_ascii(text)) == text;
}

Result<bool> same(const Value& a, const Value& b) {
  const bool constants = a.is_none() || b.is_none() || a.boolean() || b.boolean();
  if (!constants && !a.map() && !a.list()) return not_done("sameas of such values");
  return a.same_object(b);
}

}  // namespace

Result<bool> apply_test(Budget& budget, std::string_view name, const Value& input,
                        const Arguments& arguments) {
  SBX_CHECK_OK(budget.step());
  const Value other = arguments.take(0, "other");
  if (const auto word = comparison_of(name); !word.empty()) {
    if (arguments.placed.size() != 1) return refused("a test with one argument");
    return compare(budget, word, input, other);
  }
  if (name == "sameas") return same(input, other);
  if (name == "divisibleby") return divides(input, arguments.take(0, "num"));
  if (!arguments.placed.empty() || !arguments.named.empty())
    return refused("a test without arguments");
  if (name == "defined") return !input.is_undefined();
  if (name == "undefined") return input.is_undefined();
  if (name == "none") return input.is_none();
  if (name == "string") return input.text() != nullptr;
  if (name == "mapping") return input.is_mapping();
  if (name == "sequence") return is_sequence(input);
  if (name == "iterable")
    return input.is_undefined() || input.text() || input.is_mapping() || input.list();
  if (name == "number") return input.is_number();
  if (name == "integer") return input.integer() != nullptr;
  if (name == "float") return input.real() != nullptr;
  if (name == "boolean") return input.boolean() != nullptr;
  if (name == "true") return input.boolean() && *input.boolean();
  if (name == "false") return input.boolean() && !*input.boolean();
  if (name == "callable") return input.function() != nullptr || input.is_undefined();
  if (name == "odd" || name == "even") {
    SBX_TRY(const bool even, divides(input, Value(std::int64_t{2})));
    return even == (name == "even");
  }
  if (name == "upper" || name == "lower") return has_case(input, name == "upper");
  return not_done("the test " + std::string(name));
}

}  // namespace signalbox::chat_template
