#include "chat_template/content_format.h"

#include <algorithm>
#include <map>
#include <set>
#include <string_view>

namespace signalbox::chat_template {
namespace {

using Names = std::set<std::string, std::less<>>;

// Everything in a template that the rule looks at.
struct Found {
  struct Loop {
    const Statement* statement;
    const Macro* macro;  // the innermost one it stands in, or nullptr
  };
  std::vector<Loop> loops;
  std::vector<const Statement*> sets;
  std::vector<const Macro*> macros;
  std::vector<const Expression*> calls;

  void visit(const Expression* expression) {
    if (expression == nullptr) return;
    if (expression->op == Op::kCall) calls.push_back(expression);
    for (const auto& operand : expression->operands) visit(operand.get());
    for (const auto& [name, operand] : expression->named) visit(operand.get());
  }
  void visit(const Block& block, const Macro* macro) {
    for (const auto& statement : block) {
      if (statement->kind == Statement::Kind::kFor) loops.push_back({statement.get(), macro});
      if (statement->kind == Statement::Kind::kSet) sets.push_back(statement.get());
      for (const auto& expression : statement->expressions) visit(expression.get());
      for (const Block& inner : statement->blocks) visit(inner, macro);
      if (!statement->macro) continue;
      macros.push_back(statement->macro.get());
      for (const auto& parameter : statement->macro->parameters) visit(parameter.otherwise.get());
      visit(statement->macro->body, statement->macro.get());
    }
  }
};

bool is_name(const Expression& expression, const Names& names) {
  return expression.op == Op::kName && names.contains(expression.text);
}

bool is_member(const Expression& expression, const Names& names, std::string_view key) {
  if (expression.op == Op::kAttribute)
    return expression.text == key && is_name(*expression.operands[0], names);
  if (expression.op != Op::kItem) return false;
  const auto* text = expression.operands[1]->constant.text();
  return expression.operands[1]->op == Op::kConstant && text != nullptr && *text == key &&
         is_name(*expression.operands[0], names);
}

// A variable, or its member `key`; filtered, tested or sliced too.
bool leads_to(const Expression& expression, const Names& names, std::string_view key) {
  const Op op = expression.op;
  if (op == Op::kFilter || op == Op::kTest || op == Op::kSlice)
    return expression.operands[0] && leads_to(*expression.operands[0], names, key);
  return key.empty() ? is_name(expression, names) : is_member(expression, names, key);
}

Names names_of_messages(const Found& found) {
  Names names = {"messages"};
  for (bool grown = true; grown;) {
    grown = false;
    for (const Statement* set : found.sets) {
      if (set->target.tuple || !set->target.member.empty()) continue;
      if (leads_to(*set->expressions[0], names, "") && names.insert(set->target.spelled[0]).second)
        grown = true;
    }
  }
  return names;
}

Names names_of_one_message(const Found& found, const Names& messages) {
  Names names;
  for (const auto& [loop, macro] : found.loops) {
    if (!loop->target.tuple && leads_to(*loop->expressions[0], messages, ""))
      names.insert(loop->target.spelled[0]);
  }
  return names;
}

// Parameters of a macro that some call gives the content of a message.
Names content_parameters(const Found& found, const Macro& macro, const Names& message) {
  Names names;
  for (const Expression* call : found.calls) {
    const Expression& callee = *call->operands[0];
    if (callee.op != Op::kName || callee.text != macro.name) continue;
    for (std::size_t i = 1; i < call->operands.size() && i <= macro.parameters.size(); ++i) {
      if (leads_to(*call->operands[i], message, "content"))
        names.insert(macro.parameters[i - 1].spelled);
    }
    for (const auto& [name, operand] : call->named) {
      if (leads_to(*operand, message, "content")) names.insert(name);
    }
  }
  return names;
}

}  // namespace

ContentFormat content_format(const Syntax& syntax) {
  Found found;
  found.visit(syntax.body, nullptr);
  const Names message = names_of_one_message(found, names_of_messages(found));
  std::map<const Macro*, Names> parameters;
  for (const Macro* macro : found.macros)
    parameters[macro] = content_parameters(found, *macro, message);
  for (const auto& [loop, macro] : found.loops) {
    const Expression& iterated = *loop->expressions[0];
    const bool parts = leads_to(iterated, message, "content") ||
                       (macro != nullptr && is_name(iterated, parameters[macro])) ||
                       (macro == nullptr && is_name(iterated, {"content"}));
    if (parts) return ContentFormat::kParts;
  }
  return ContentFormat::kText;
}

}  // namespace signalbox::chat_template
