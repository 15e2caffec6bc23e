// Text of a template to tokens, with Jinja's rules for white space around tags as transformers sets them: trim_blocks,
// lstrip_blocks, and no newline at the end.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace signalbox::chat_template {

enum class TokenType : std::uint8_t {
  kText,           // what stands outside tags
  kVariableBegin,  // {{
  kVariableEnd,
  kBlockBegin,  // {%
  kBlockEnd,
  kName,
  kString,
  kInteger,
  kFloat,
  kOperator,
  kEnd
};

struct Token {
  TokenType type = TokenType::kEnd;
  std::string text;  // strings unescaped
  int line = 1;
};

// The last token is kEnd. Errors: kCorrupt (message names the line), kUnsupported.
Result<std::vector<Token>> read_tokens(std::string_view source);

}  // namespace signalbox::chat_template
