// A parsed template.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "chat_template/value.h"

namespace signalbox::chat_template {

struct Expression;
using ExpressionPtr = std::unique_ptr<const Expression>;

enum class Op : std::uint8_t {
  kConstant,
  kName,
  kList,
  kTuple,
  kDict,       // operands: key, value, key, value, ..
  kAttribute,  // operands[0].text
  kItem,       // operands[0][operands[1]]
  kSlice,      // operands[0][a:b:c]; nullptr where left out
  kCall,       // operands[0](operands[1..], named)
  kFilter,     // operands[0] | text(operands[1..], named); operands[0] nullptr in a set block
  kTest,       // operands[0] is text(operands[1..])
  kNot,
  kNegative,
  kPositive,
  kAnd,
  kOr,
  kConditional,  // operands: condition, value, otherwise (may be nullptr)
  kArithmetic,   // text: + - * / // % **
  kCompare,      // operands[0] words[0] operands[1] words[1] ..
  kJoin,         // ~
};

struct Expression {
  Op op = Op::kConstant;
  int line = 1;
  std::string text;
  int name = -1;  // of a kName: its number
  Value constant;
  std::vector<ExpressionPtr> operands;
  std::vector<std::pair<std::string, ExpressionPtr>> named;
  std::vector<std::string> words;
};

struct Statement;
using Block = std::vector<std::unique_ptr<const Statement>>;

// What a `for` or a `set` assigns to: names, several for a tuple, or one member of a namespace.
struct Target {
  std::vector<int> names;
  std::vector<std::string> spelled;
  bool tuple = false;
  std::string member;  // names[0].member
};

struct Macro {
  std::string name;
  struct Parameter {
    int name = -1;
    std::string spelled;
    ExpressionPtr otherwise;  // nullptr: undefined
  };
  std::vector<Parameter> parameters;
  Block body;
};

struct Statement {
  enum class Kind : std::uint8_t {
    kText,
    kOutput,
    kIf,        // expressions[i] guards blocks[i]; one block more is the else
    kFor,       // expressions: iterated, condition or nullptr; blocks: body, else
    kSet,       // target = expressions[0]
    kSetBlock,  // target = blocks[0], filtered by expressions[0] if that is not nullptr
    kMacro,
    kGeneration,  // blocks[0], in a scope of its own
    kBreak,
    kContinue
  };
  Kind kind = Kind::kText;
  int line = 1;
  std::string text;
  std::vector<ExpressionPtr> expressions;
  std::vector<Block> blocks;
  Target target;
  std::unique_ptr<const Macro> macro;
  int macro_name = -1;
};

struct Syntax {
  Block body;
  std::vector<std::string> names;  // by number
};

// Errors: kCorrupt (syntax), kUnsupported (what this does not do); messages name the line.
Result<Syntax> parse(std::string_view source);

}  // namespace signalbox::chat_template
