// Expressions, in the order of their precedence, loosest first.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "base/limits.h"
#include "base/text.h"
#include "chat_template/known.h"
#include "chat_template/parser.h"

namespace signalbox::chat_template {

Parser::Made Parser::make(Op op) {
  if (++nodes_ > limits::kTemplateNodesMax) return wrong("the template is too long");
  auto made = std::make_unique<Expression>();
  made->op = op;
  made->line = now().line;
  return made;
}

Parser::Made Parser::expression() {
  const Nesting nesting(*this);
  if (depth_ > limits::kTemplateDepthMax) return wrong("nested too deeply");
  SBX_TRY(auto value, disjunction());
  for (int chain = 0; take_word("if"); ++chain) {
    if (chain > limits::kTemplateDepthMax) return wrong("nested too deeply");
    SBX_TRY(auto made, make(Op::kConditional));
    SBX_TRY(auto condition, disjunction());
    made->operands.push_back(std::move(condition));
    made->operands.push_back(std::move(value));
    ExpressionPtr otherwise;
    if (take_word("else")) {
      SBX_TRY(otherwise, expression());
    }
    made->operands.push_back(std::move(otherwise));
    value = std::move(made);
  }
  return value;
}

Parser::Made Parser::disjunction() {
  SBX_TRY(auto left, conjunction());
  if (!is_word("or")) return left;
  SBX_TRY(auto made, make(Op::kOr));
  made->operands.push_back(std::move(left));
  while (take_word("or")) {
    SBX_TRY(auto right, conjunction());
    made->operands.push_back(std::move(right));
  }
  return made;
}

Parser::Made Parser::conjunction() {
  SBX_TRY(auto left, negation());
  if (!is_word("and")) return left;
  SBX_TRY(auto made, make(Op::kAnd));
  made->operands.push_back(std::move(left));
  while (take_word("and")) {
    SBX_TRY(auto right, negation());
    made->operands.push_back(std::move(right));
  }
  return made;
}

Parser::Made Parser::negation() {
  if (!take_word("not")) return comparison();
  const Nesting nesting(*this);
  if (depth_ > limits::kTemplateDepthMax) return wrong("nested too deeply");
  SBX_TRY(auto made, make(Op::kNot));
  SBX_TRY(auto value, negation());
  made->operands.push_back(std::move(value));
  return made;
}

Parser::Made Parser::comparison() {
  static constexpr auto kSymbols =
      std::to_array<std::string_view>({"==", "!=", "<", "<=", ">", ">="});
  SBX_TRY(auto first, sum());
  std::unique_ptr<Expression> made;
  for (;;) {
    std::string word;
    if (now().type == TokenType::kOperator &&
        std::ranges::find(kSymbols, now().text) != kSymbols.end()) {
      word = tokens_[at_++].text;
    } else if (take_word("in")) {
      word = "in";
    } else if (is_word("not") && tokens_[at_ + 1].type == TokenType::kName &&
               tokens_[at_ + 1].text == "in") {
      at_ += 2;
      word = "not in";
    } else {
      break;
    }
    if (!made) {
      SBX_TRY(made, make(Op::kCompare));
      made->operands.push_back(std::move(first));
    }
    SBX_TRY(auto right, sum());
    made->operands.push_back(std::move(right));
    made->words.push_back(std::move(word));
  }
  if (made) return made;
  return first;
}

Parser::Made Parser::sum() {
  SBX_TRY(auto left, joined());
  for (int chain = 0; is_symbol("+") || is_symbol("-"); ++chain) {
    if (chain > limits::kTemplateDepthMax) return wrong("nested too deeply");
    SBX_TRY(auto made, make(Op::kArithmetic));
    made->text = tokens_[at_++].text;
    SBX_TRY(auto right, joined());
    made->operands.push_back(std::move(left));
    made->operands.push_back(std::move(right));
    left = std::move(made);
  }
  return left;
}

Parser::Made Parser::joined() {
  SBX_TRY(auto left, product());
  if (!is_symbol("~")) return left;
  SBX_TRY(auto made, make(Op::kJoin));
  made->operands.push_back(std::move(left));
  while (take_symbol("~")) {
    SBX_TRY(auto right, product());
    made->operands.push_back(std::move(right));
  }
  return made;
}

Parser::Made Parser::product() {
  SBX_TRY(auto left, power());
  for (int chain = 0; is_symbol("*") || is_symbol("/") || is_symbol("//") || is_symbol("%");
       ++chain) {
    if (chain > limits::kTemplateDepthMax) return wrong("nested too deeply");
    SBX_TRY(auto made, make(Op::kArithmetic));
    made->text = tokens_[at_++].text;
    SBX_TRY(auto right, power());
    made->operands.push_back(std::move(left));
    made->operands.push_back(std::move(right));
    left = std::move(made);
  }
  return left;
}

Parser::Made Parser::power() {
  SBX_TRY(auto left, unary(true));
  if (is_symbol("**")) return unsupported("the operator **");
  return left;
}

Parser::Made Parser::unary(bool with_filters) {
  const Nesting nesting(*this);
  if (depth_ > limits::kTemplateDepthMax) return wrong("nested too deeply");
  std::unique_ptr<Expression> value;
  if (is_symbol("-") || is_symbol("+")) {
    SBX_TRY(value, make(is_symbol("-") ? Op::kNegative : Op::kPositive));
    ++at_;
    SBX_TRY(auto operand, unary(false));
    value->operands.push_back(std::move(operand));
  } else {
    SBX_TRY(value, primary());
  }
  SBX_TRY(value, postfix(std::move(value)));
  return with_filters ? filters(std::move(value)) : Made(std::move(value));
}

Parser::Made Parser::primary() {
  SBX_TRY(auto made, make(Op::kConstant));
  const Token token = now();
  switch (token.type) {
    case TokenType::kName:
      ++at_;
      if (token.text == "true" || token.text == "True") {
        made->constant = Value(true);
      } else if (token.text == "false" || token.text == "False") {
        made->constant = Value(false);
      } else if (token.text == "none" || token.text == "None") {
        made->constant = Value(None{});
      } else if (token.text == "varargs" || token.text == "kwargs" || token.text == "caller" ||
                 token.text == "self" || token.text == "super") {
        return unsupported(fmt::format("the name {}", token.text));
      } else {
        made->op = Op::kName;
        made->text = token.text;
        made->name = number_of(token.text);
      }
      return made;
    case TokenType::kString: {
      std::string text;
      while (now().type == TokenType::kString) text += tokens_[at_++].text;
      made->constant = Value(std::move(text));
      return made;
    }
    case TokenType::kInteger: {
      ++at_;
      std::int64_t value = 0;
      const auto read =
          std::from_chars(token.text.data(), token.text.data() + token.text.size(), value);
      if (read.ec != std::errc()) return unsupported("so large a number");
      made->constant = Value(value);
      return made;
    }
    case TokenType::kFloat: {
      ++at_;
      const auto value = parse_double(token.text);
      if (!value) return wrong("not a number");
      made->constant = Value(*value);
      return made;
    }
    case TokenType::kOperator:
      return bracketed();
    default:
      return wrong("an expression is missing");
  }
}

Parser::Made Parser::bracketed() {
  if (take_symbol("[")) return list("]", Op::kList);
  if (take_symbol("{")) return dict();
  if (!take_symbol("(")) return wrong("an expression is missing");
  if (take_symbol(")")) return make(Op::kTuple);
  SBX_TRY(auto value, tuple_or_expression(true));
  SBX_CHECK_OK(need_symbol(")"));
  return value;
}

Parser::Made Parser::list(std::string_view close, Op op) {
  SBX_TRY(auto made, make(op));
  while (!take_symbol(close)) {
    if (!made->operands.empty()) {
      SBX_CHECK_OK(need_symbol(","));
      if (take_symbol(close)) break;
    }
    SBX_TRY(auto item, expression());
    made->operands.push_back(std::move(item));
  }
  return made;
}

Parser::Made Parser::dict() {
  SBX_TRY(auto made, make(Op::kDict));
  while (!take_symbol("}")) {
    if (!made->operands.empty()) {
      SBX_CHECK_OK(need_symbol(","));
      if (take_symbol("}")) break;
    }
    SBX_TRY(auto key, expression());
    SBX_CHECK_OK(need_symbol(":"));
    SBX_TRY(auto value, expression());
    made->operands.push_back(std::move(key));
    made->operands.push_back(std::move(value));
  }
  return made;
}

Parser::Made Parser::tuple_or_expression(bool with_condition) {
  const auto one = [&] { return with_condition ? expression() : disjunction(); };
  SBX_TRY(auto first, one());
  if (!is_symbol(",")) return first;
  SBX_TRY(auto made, make(Op::kTuple));
  made->operands.push_back(std::move(first));
  while (take_symbol(",")) {
    if (now().type == TokenType::kVariableEnd || now().type == TokenType::kBlockEnd ||
        is_symbol(")"))
      break;
    SBX_TRY(auto item, one());
    made->operands.push_back(std::move(item));
  }
  return made;
}

Parser::Made Parser::postfix(std::unique_ptr<Expression> base) {
  for (int chain = 0;; ++chain) {
    if (chain > limits::kTemplateDepthMax) return wrong("nested too deeply");
    if (is_symbol(".") || is_symbol("[")) {
      SBX_TRY(base, subscript(std::move(base)));
    } else if (is_symbol("(")) {
      SBX_TRY(base, call(std::move(base)));
    } else {
      return base;
    }
  }
}

Parser::Made Parser::subscript(std::unique_ptr<Expression> base) {
  SBX_TRY(auto made, make(Op::kItem));
  made->operands.push_back(std::move(base));
  if (take_symbol(".")) {
    if (now().type == TokenType::kInteger) {
      SBX_TRY(auto index, primary());
      made->operands.push_back(std::move(index));
      return made;
    }
    made->op = Op::kAttribute;
    SBX_TRY(made->text, need_name());
    return made;
  }
  SBX_CHECK_OK(need_symbol("["));
  std::vector<ExpressionPtr> bounds;
  bool sliced = false;
  for (;;) {
    ExpressionPtr bound;
    if (!is_symbol(":") && !is_symbol("]")) {
      SBX_TRY(bound, expression());
    }
    bounds.push_back(std::move(bound));
    if (!take_symbol(":")) break;
    sliced = true;
  }
  if (is_symbol(",")) return unsupported("an index of several parts");
  SBX_CHECK_OK(need_symbol("]"));
  if (bounds.size() > 3 || (!sliced && !bounds[0])) return wrong("not an index");
  if (sliced) {
    made->op = Op::kSlice;
    bounds.resize(3);
  }
  for (auto& bound : bounds) made->operands.push_back(std::move(bound));
  return made;
}

Parser::Made Parser::call(std::unique_ptr<Expression> callee) {
  SBX_TRY(auto made, make(Op::kCall));
  if (callee->op == Op::kName) {
    called_.push_back({callee->text, now().line});
  } else if (callee->op != Op::kAttribute) {
    return unsupported("calling the result of an expression");
  } else if (!is_known_method(callee->text)) {
    return unsupported(fmt::format("the method {}", callee->text));
  }
  made->operands.push_back(std::move(callee));
  SBX_CHECK_OK(arguments(*made));
  return made;
}

Result<void> Parser::arguments(Expression& call) {
  SBX_CHECK_OK(need_symbol("("));
  bool first = true;
  while (!take_symbol(")")) {
    if (!first) {
      SBX_CHECK_OK(need_symbol(","));
      if (take_symbol(")")) break;
    }
    first = false;
    if (is_symbol("*") || is_symbol("**")) return unsupported("unpacking of arguments");
    if (now().type == TokenType::kName && tokens_[at_ + 1].type == TokenType::kOperator &&
        tokens_[at_ + 1].text == "=") {
      const std::string name = now().text;
      at_ += 2;
      SBX_TRY(auto value, expression());
      call.named.emplace_back(name, std::move(value));
      continue;
    }
    if (!call.named.empty()) return wrong("a positional argument behind a named one");
    SBX_TRY(auto value, expression());
    call.operands.push_back(std::move(value));
  }
  return {};
}

Parser::Made Parser::filters(std::unique_ptr<Expression> base) {
  for (int chain = 0;; ++chain) {
    if (chain > limits::kTemplateDepthMax) return wrong("nested too deeply");
    if (is_symbol("|")) {
      SBX_TRY(base, filter(std::move(base)));
    } else if (base && is_word("is")) {
      SBX_TRY(base, test(std::move(base)));
    } else if (base && is_symbol("(")) {
      SBX_TRY(base, call(std::move(base)));
    } else {
      return base;
    }
  }
}

Parser::Made Parser::filter(std::unique_ptr<Expression> base) {
  SBX_TRY(auto made, make(Op::kFilter));
  SBX_CHECK_OK(need_symbol("|"));
  SBX_TRY(made->text, need_name());
  if (!is_known_filter(made->text)) return unsupported(fmt::format("the filter {}", made->text));
  made->operands.push_back(std::move(base));
  if (is_symbol("(")) SBX_CHECK_OK(arguments(*made));
  // Names of filters and tests that these apply are known now or never.
  const bool selects = made->text == "select" || made->text == "reject";
  const bool by_attribute = made->text == "selectattr" || made->text == "rejectattr";
  const std::size_t place = by_attribute ? 2 : 1;
  if ((selects || by_attribute || made->text == "map") && made->operands.size() > place) {
    const Expression& word = *made->operands[place];
    const std::string* name = word.op == Op::kConstant ? word.constant.text() : nullptr;
    if (name == nullptr) return unsupported("a filter or test that is named by an expression");
    if (made->text == "map" ? !is_known_filter(*name) : !is_known_test(*name))
      return unsupported(fmt::format("{} of {}", *name, made->text));
  }
  return made;
}

Parser::Made Parser::test(std::unique_ptr<Expression> base) {
  ++at_;  // is
  const bool negated = take_word("not");
  SBX_TRY(auto made, make(Op::kTest));
  SBX_TRY(made->text, need_name());
  if (!is_known_test(made->text)) return unsupported(fmt::format("the test {}", made->text));
  made->operands.push_back(std::move(base));
  const bool word = now().type == TokenType::kName && !is_word("else") && !is_word("or") &&
                    !is_word("and") && !is_word("is") && !is_word("if") && !is_word("in") &&
                    !is_word("not");
  if (is_symbol("(")) {
    SBX_CHECK_OK(arguments(*made));
  } else if (word || now().type == TokenType::kString || now().type == TokenType::kInteger ||
             now().type == TokenType::kFloat || is_symbol("[") || is_symbol("{")) {
    SBX_TRY(auto argument, primary());
    SBX_TRY(argument, postfix(std::move(argument)));
    made->operands.push_back(std::move(argument));
  }
  if (!negated) return made;
  SBX_TRY(auto turned, make(Op::kNot));
  turned->operands.push_back(std::move(made));
  return turned;
}

}  // namespace signalbox::chat_template
