#include "chat_template/parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "chat_template/known.h"

namespace signalbox::chat_template {

std::unexpected<Error> Parser::wrong(std::string_view what) const {
  return fail(Code::kCorrupt, fmt::format("line {}: {}", now().line, what));
}

std::unexpected<Error> Parser::unsupported(std::string_view what) const {
  return fail(Code::kUnsupported, fmt::format("line {}: {} is not supported", now().line, what));
}

bool Parser::take_symbol(std::string_view symbol) {
  if (!is_symbol(symbol)) return false;
  ++at_;
  return true;
}

bool Parser::take_word(std::string_view word) {
  if (!is_word(word)) return false;
  ++at_;
  return true;
}

Result<void> Parser::need_symbol(std::string_view symbol) {
  if (!take_symbol(symbol)) return wrong(fmt::format("'{}' is missing", symbol));
  return {};
}

Result<std::string> Parser::need_name() {
  if (now().type != TokenType::kName) return wrong("a name is missing");
  return tokens_[at_++].text;
}

int Parser::number_of(const std::string& name) {
  const auto [at, fresh] = numbers_.try_emplace(name, static_cast<int>(names_.size()));
  if (fresh) names_.push_back(name);
  return at->second;
}

Result<Syntax> Parser::run() {
  Syntax syntax;
  SBX_TRY(syntax.body, block({}));
  SBX_CHECK_OK(check_calls());
  syntax.names = std::move(names_);
  return syntax;
}

// A call of a name that is neither a macro nor one of ours would fail when it is reached; said at once.
Result<void> Parser::check_calls() const {
  for (const auto& [name, line] : called_) {
    if (macros_.contains(name) || is_known_function(name)) continue;
    return fail(Code::kUnsupported,
                fmt::format("line {}: the function {} is not supported", line, name));
  }
  return {};
}

// Up to a tag that begins with one of the words, which stays unread behind its {%; to the end of the text without any.
Result<Block> Parser::block(std::initializer_list<std::string_view> ends) {
  const Nesting nesting(*this);
  if (depth_ > limits::kTemplateDepthMax) return wrong("nested too deeply");
  Block out;
  for (;;) {
    const Token& token = now();
    if (token.type == TokenType::kEnd) {
      if (ends.size() == 0) return out;
      return wrong(fmt::format("{} is missing", *(ends.end() - 1)));
    }
    if (token.type == TokenType::kBlockBegin && tokens_[at_ + 1].type == TokenType::kName &&
        std::ranges::find(ends, tokens_[at_ + 1].text) != ends.end()) {
      ++at_;
      return out;
    }
    SBX_CHECK_OK(tag(out));
  }
}

Result<void> Parser::tag(Block& out) {
  auto made = std::make_unique<Statement>();
  made->line = now().line;
  if (now().type == TokenType::kText) {
    made->text = std::move(tokens_[at_++].text);
  } else if (now().type == TokenType::kVariableBegin) {
    ++at_;
    made->kind = Statement::Kind::kOutput;
    SBX_TRY(auto value, tuple_or_expression(true));
    made->expressions.push_back(std::move(value));
    if (now().type != TokenType::kVariableEnd) return wrong("'}}' is missing");
    ++at_;
  } else {
    ++at_;
    const int line = now().line;
    SBX_TRY(const std::string word, need_name());
    SBX_TRY(made, statement(word, line));
  }
  out.push_back(std::move(made));
  return {};
}

Result<void> Parser::block_end() {
  if (now().type != TokenType::kBlockEnd) return wrong("'%}' is missing");
  ++at_;
  return {};
}

Result<std::string> Parser::end_word() {
  SBX_TRY(std::string word, need_name());
  return word;
}

Result<std::unique_ptr<Statement>> Parser::statement(std::string_view word, int line) {
  if (word == "if") return if_statement(line);
  if (word == "for") return for_statement(line);
  if (word == "set") return set_statement(line);
  if (word == "macro") return macro_statement(line);
  if (word == "generation") return generation_statement(line);
  if (word == "break" || word == "continue") {
    if (loops_ == 0) return wrong(fmt::format("{} outside a loop", word));
    auto made = std::make_unique<Statement>();
    made->line = line;
    made->kind = word == "break" ? Statement::Kind::kBreak : Statement::Kind::kContinue;
    SBX_CHECK_OK(block_end());
    return made;
  }
  return unsupported(fmt::format("the tag {}", word));
}

Result<std::unique_ptr<Statement>> Parser::if_statement(int line) {
  auto made = std::make_unique<Statement>();
  made->kind = Statement::Kind::kIf;
  made->line = line;
  for (;;) {
    SBX_TRY(auto condition, tuple_or_expression(false));
    made->expressions.push_back(std::move(condition));
    SBX_CHECK_OK(block_end());
    SBX_TRY(auto body, block({"elif", "else", "endif"}));
    made->blocks.push_back(std::move(body));
    SBX_TRY(const std::string word, end_word());
    if (word == "elif") continue;
    if (word == "else") {
      SBX_CHECK_OK(block_end());
      SBX_TRY(auto otherwise, block({"endif"}));
      made->blocks.push_back(std::move(otherwise));
      ++at_;
    }
    SBX_CHECK_OK(block_end());
    return made;
  }
}

Result<Target> Parser::target(bool may_be_member) {
  Target target;
  const bool parenthesis = take_symbol("(");
  do {
    if (target.tuple && now().type != TokenType::kName) break;  // a comma at the end
    SBX_TRY(const std::string name, need_name());
    if (name == "loop" || name == "true" || name == "false" || name == "none" || name == "True" ||
        name == "False" || name == "None")
      return wrong("this name cannot be assigned to");
    target.names.push_back(number_of(name));
    target.spelled.push_back(name);
    if (may_be_member && !target.tuple && take_symbol(".")) {
      SBX_TRY(target.member, need_name());
      return target;
    }
    if (is_symbol(",")) target.tuple = true;
  } while (take_symbol(","));
  if (parenthesis) SBX_CHECK_OK(need_symbol(")"));
  return target;
}

Result<std::unique_ptr<Statement>> Parser::for_statement(int line) {
  auto made = std::make_unique<Statement>();
  made->kind = Statement::Kind::kFor;
  made->line = line;
  SBX_TRY(made->target, target(false));
  if (!take_word("in")) return wrong("'in' is missing");
  SBX_TRY(auto iterated, tuple_or_expression(false));
  made->expressions.push_back(std::move(iterated));
  ExpressionPtr condition;
  if (take_word("if")) {
    SBX_TRY(condition, expression());
  }
  made->expressions.push_back(std::move(condition));
  if (is_word("recursive")) return unsupported("a recursive loop");
  SBX_CHECK_OK(block_end());
  ++loops_;
  SBX_TRY(auto body, block({"else", "endfor"}));
  --loops_;
  made->blocks.push_back(std::move(body));
  SBX_TRY(const std::string word, end_word());
  if (word == "else") {
    SBX_CHECK_OK(block_end());
    SBX_TRY(auto otherwise, block({"endfor"}));
    made->blocks.push_back(std::move(otherwise));
    ++at_;
  }
  SBX_CHECK_OK(block_end());
  return made;
}

Result<std::unique_ptr<Statement>> Parser::set_statement(int line) {
  auto made = std::make_unique<Statement>();
  made->line = line;
  SBX_TRY(made->target, target(true));
  if (take_symbol("=")) {
    made->kind = Statement::Kind::kSet;
    SBX_TRY(auto value, tuple_or_expression(true));
    made->expressions.push_back(std::move(value));
    SBX_CHECK_OK(block_end());
    return made;
  }
  made->kind = Statement::Kind::kSetBlock;
  ExpressionPtr filtered;
  if (is_symbol("|")) {
    SBX_TRY(filtered, filters(nullptr));
  }
  made->expressions.push_back(std::move(filtered));
  SBX_CHECK_OK(block_end());
  SBX_TRY(auto body, block({"endset"}));
  made->blocks.push_back(std::move(body));
  ++at_;
  SBX_CHECK_OK(block_end());
  return made;
}

Result<std::unique_ptr<Statement>> Parser::macro_statement(int line) {
  auto made = std::make_unique<Statement>();
  made->kind = Statement::Kind::kMacro;
  made->line = line;
  auto macro = std::make_unique<Macro>();
  SBX_TRY(macro->name, need_name());
  if (is_known_function(macro->name)) return unsupported("a macro with the name of a function");
  macros_.insert(macro->name);
  made->macro_name = number_of(macro->name);
  SBX_CHECK_OK(need_symbol("("));
  while (!take_symbol(")")) {
    if (!macro->parameters.empty()) SBX_CHECK_OK(need_symbol(","));
    Macro::Parameter parameter;
    SBX_TRY(parameter.spelled, need_name());
    parameter.name = number_of(parameter.spelled);
    if (take_symbol("=")) {
      SBX_TRY(parameter.otherwise, expression());
    }
    macro->parameters.push_back(std::move(parameter));
  }
  SBX_CHECK_OK(block_end());
  const std::size_t loops = std::exchange(loops_, 0);
  SBX_TRY(macro->body, block({"endmacro"}));
  loops_ = loops;
  ++at_;
  if (now().type == TokenType::kName) ++at_;  // the name may be repeated
  SBX_CHECK_OK(block_end());
  made->macro = std::move(macro);
  return made;
}

Result<std::unique_ptr<Statement>> Parser::generation_statement(int line) {
  auto made = std::make_unique<Statement>();
  made->kind = Statement::Kind::kGeneration;
  made->line = line;
  SBX_CHECK_OK(block_end());
  const std::size_t loops = std::exchange(loops_, 0);
  SBX_TRY(auto body, block({"endgeneration"}));
  loops_ = loops;
  made->blocks.push_back(std::move(body));
  ++at_;
  SBX_CHECK_OK(block_end());
  return made;
}

Result<Syntax> parse(std::string_view source) {
  if (source.size() > limits::kTemplateBytesMax)
    return fail(Code::kUnsupported, "the template is too long");
  SBX_TRY(auto tokens, read_tokens(source));
  return Parser(std::move(tokens)).run();
}

}  // namespace signalbox::chat_template
