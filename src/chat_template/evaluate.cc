// Values of expressions.
#include <utility>

#include "chat_template/interpreter.h"

namespace signalbox::chat_template {

Result<Value> Interpreter::evaluate(const Expression& expression) {
  SBX_CHECK_OK(budget_.step());
  const Deeper deeper(*this);
  if (too_deep()) return refused("the template goes too deep");
  const auto& operands = expression.operands;
  switch (expression.op) {
    case Op::kConstant:
      return expression.constant;
    case Op::kName:
      return lookup(expression.name);
    case Op::kList:
    case Op::kTuple:
      return evaluate_list(expression);
    case Op::kDict:
      return evaluate_dict(expression);
    case Op::kAttribute: {
      SBX_TRY(const Value owner, evaluate(*operands[0]));
      return attribute(budget_, owner, expression.text);
    }
    case Op::kItem: {
      SBX_TRY(const Value owner, evaluate(*operands[0]));
      SBX_TRY(const Value key, evaluate(*operands[1]));
      return item(budget_, owner, key);
    }
    case Op::kSlice: {
      SBX_TRY(const Value owner, evaluate(*operands[0]));
      Value bounds[3];
      for (std::size_t i = 0; i < 3; ++i) {
        if (!operands[i + 1]) continue;
        SBX_TRY(bounds[i], evaluate(*operands[i + 1]));
      }
      return slice(budget_, owner, bounds[0], bounds[1], bounds[2]);
    }
    case Op::kCall:
      return evaluate_call(expression);
    case Op::kFilter:
      return evaluate_filter(expression, nullptr);
    case Op::kTest: {
      SBX_TRY(const Value value, evaluate(*operands[0]));
      SBX_TRY(const auto arguments, arguments_of(expression));
      SBX_TRY(const bool passes, apply_test(budget_, expression.text, value, arguments));
      return Value(passes);
    }
    case Op::kNot:
    case Op::kAnd:
    case Op::kOr:
    case Op::kConditional:
      return evaluate_logic(expression);
    case Op::kNegative:
    case Op::kPositive:
      return evaluate_sign(expression);
    case Op::kArithmetic: {
      SBX_TRY(const Value left, evaluate(*operands[0]));
      SBX_TRY(const Value right, evaluate(*operands[1]));
      return arithmetic(budget_, expression.text, left, right);
    }
    case Op::kCompare:
      return evaluate_compare(expression);
    case Op::kJoin:
      return evaluate_join(expression);
  }
  return Value();
}

Result<Value> Interpreter::evaluate_list(const Expression& expression) {
  List list{.form = expression.op == Op::kTuple ? List::Form::kTuple : List::Form::kList,
            .items = {}};
  for (const auto& operand : expression.operands) {
    SBX_TRY(auto value, evaluate(*operand));
    list.items.push_back(std::move(value));
  }
  return Value(std::move(list));
}

Result<Value> Interpreter::evaluate_dict(const Expression& expression) {
  Map map;
  for (std::size_t i = 0; i + 1 < expression.operands.size(); i += 2) {
    SBX_TRY(const Value key, evaluate(*expression.operands[i]));
    SBX_TRY(auto value, evaluate(*expression.operands[i + 1]));
    if (!key.text()) return not_done("a dict with other keys than text");
    map.set(*key.text(), std::move(value));
  }
  return Value(std::move(map));
}

Result<Value> Interpreter::evaluate_logic(const Expression& expression) {
  SBX_TRY(Value value, evaluate(*expression.operands[0]));
  if (expression.op == Op::kNot) return Value(!value.truth());
  if (expression.op == Op::kConditional) {
    if (value.truth()) return evaluate(*expression.operands[1]);
    if (!expression.operands[2]) return Value();
    return evaluate(*expression.operands[2]);
  }
  for (std::size_t i = 1; i < expression.operands.size(); ++i) {
    if (value.truth() == (expression.op == Op::kOr)) return value;
    SBX_TRY(value, evaluate(*expression.operands[i]));
  }
  return value;
}

Result<Value> Interpreter::evaluate_compare(const Expression& expression) {
  SBX_TRY(Value left, evaluate(*expression.operands[0]));
  for (std::size_t i = 0; i < expression.words.size(); ++i) {
    SBX_TRY(Value right, evaluate(*expression.operands[i + 1]));
    SBX_TRY(const bool holds, compare(budget_, expression.words[i], left, right));
    if (!holds) return Value(false);
    left = std::move(right);
  }
  return Value(true);
}

Result<Value> Interpreter::evaluate_join(const Expression& expression) {
  std::string out;
  for (const auto& operand : expression.operands) {
    SBX_TRY(const Value value, evaluate(*operand));
    SBX_CHECK_OK(print(value, out));
  }
  return Value(std::move(out));
}

Result<Value> Interpreter::evaluate_sign(const Expression& expression) {
  SBX_TRY(const Value value, evaluate(*expression.operands[0]));
  if (!value.is_number()) return refused("the sign of something that is no number");
  if (expression.op == Op::kPositive) return value.real() ? value : Value(value.as_integer());
  if (value.real()) return Value(-*value.real());
  return arithmetic(budget_, "-", Value(std::int64_t{0}), value);
}

Result<Arguments> Interpreter::arguments_of(const Expression& call) {
  Arguments arguments;
  for (std::size_t i = 1; i < call.operands.size(); ++i) {
    SBX_TRY(auto value, evaluate(*call.operands[i]));
    arguments.placed.push_back(std::move(value));
  }
  for (const auto& [name, operand] : call.named) {
    SBX_TRY(auto value, evaluate(*operand));
    arguments.named.emplace_back(name, std::move(value));
  }
  return arguments;
}

Result<Value> Interpreter::evaluate_filter(const Expression& expression, const Value* block) {
  Value input;
  if (!expression.operands[0]) {
    if (block != nullptr) input = *block;
  } else if (block != nullptr && expression.operands[0]->op == Op::kFilter) {
    SBX_TRY(input, evaluate_filter(*expression.operands[0], block));
  } else {
    SBX_TRY(input, evaluate(*expression.operands[0]));
  }
  SBX_TRY(const auto arguments, arguments_of(expression));
  return apply_filter(budget_, expression.text, input, arguments);
}

Result<Value> Interpreter::evaluate_call(const Expression& expression) {
  SBX_TRY(const Value callee, evaluate(*expression.operands[0]));
  const Function* function = callee.function();
  if (function == nullptr) return refused("a call of something that is no function");
  SBX_TRY(const auto arguments, arguments_of(expression));
  if (function->macro != nullptr) return call_macro(*function, arguments);
  if (function->method) return call_method(budget_, *function, arguments);
  return call_function(function->name, arguments);
}

}  // namespace signalbox::chat_template
