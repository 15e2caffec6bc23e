// Tokens to expressions; what the two halves of the parser share.
#pragma once

#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "chat_template/lexer.h"
#include "chat_template/syntax.h"

namespace signalbox::chat_template {

class Parser {
 public:
  explicit Parser(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}
  Result<Syntax> run();

 private:
  class Nesting;
  using Made = Result<std::unique_ptr<Expression>>;

  // parser.cc: statements
  Result<Block> block(std::initializer_list<std::string_view> ends);
  Result<void> tag(Block& out);
  Result<std::unique_ptr<Statement>> statement(std::string_view word, int line);
  Result<std::unique_ptr<Statement>> if_statement(int line);
  Result<std::unique_ptr<Statement>> for_statement(int line);
  Result<std::unique_ptr<Statement>> set_statement(int line);
  Result<std::unique_ptr<Statement>> macro_statement(int line);
  Result<std::unique_ptr<Statement>> generation_statement(int line);
  Result<Target> target(bool may_be_member);
  Result<void> block_end();
  // Behind a block: the word that ended it, taken.
  Result<std::string> end_word();

  // parser_expression.cc
  Made expression();
  Made disjunction();
  Made conjunction();
  Made negation();
  Made comparison();
  Made sum();
  Made joined();
  Made product();
  Made power();
  Made unary(bool with_filters);
  Made primary();
  Made bracketed();
  Made list(std::string_view close, Op op);
  Made dict();
  Made postfix(std::unique_ptr<Expression> base);
  Made subscript(std::unique_ptr<Expression> base);
  Made call(std::unique_ptr<Expression> callee);
  Made filters(std::unique_ptr<Expression> base);
  Made filter(std::unique_ptr<Expression> base);
  Made test(std::unique_ptr<Expression> base);
  // One expression, or several with commas between them.
  Made tuple_or_expression(bool with_condition);
  Result<void> arguments(Expression& call);

  const Token& now() const { return tokens_[at_]; }
  bool is_symbol(std::string_view symbol) const {
    return now().type == TokenType::kOperator && now().text == symbol;
  }
  bool is_word(std::string_view word) const {
    return now().type == TokenType::kName && now().text == word;
  }
  bool take_symbol(std::string_view symbol);
  bool take_word(std::string_view word);
  Result<void> need_symbol(std::string_view symbol);
  Result<std::string> need_name();
  std::unexpected<Error> wrong(std::string_view what) const;
  std::unexpected<Error> unsupported(std::string_view what) const;
  Made make(Op op);
  int number_of(const std::string& name);
  Result<void> check_calls() const;

  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  int depth_ = 0;
  std::size_t nodes_ = 0;
  std::size_t loops_ = 0;  // open ones, for break and continue
  std::vector<std::string> names_;
  std::map<std::string, int, std::less<>> numbers_;
  std::set<std::string, std::less<>> macros_;
  struct CalledName {
    std::string name;
    int line;
  };
  std::vector<CalledName> called_;
};

// Open while something nested is read; says when that goes too deep.
class Parser::Nesting {
 public:
  explicit Nesting(Parser& parser) : parser_(parser) { ++parser_.depth_; }
  ~Nesting() { --parser_.depth_; }
  Nesting(const Nesting&) = delete;
  Nesting& operator=(const Nesting&) = delete;

 private:
  Parser& parser_;
};

}  // namespace signalbox::chat_template
