// What a simulated engine answers: a text that says that it is simulated, which model or adapter spoke, whether
// reasoning was on and how the system prompt began, so that somebody who tries Signalbox sees where a request went.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sim/ask.h"

namespace signalbox::sim {

// A cut at white space: every piece but the first begins with the space before its word. A piece counts as one token.
struct Answer {
  std::vector<std::string> reasoning;  // comes first
  std::vector<std::string> text;       // empty for a tool call
  std::string tool;                    // function to call
  std::string tool_arguments;          // JSON text
  bool cut = false;                    // tokens_max ended it
  std::size_t prompt_tokens = 0;
  std::size_t cached_tokens = 0;
  std::string kv_transfer_params;  // JSON; empty: none
  // Tokens of everything generated.
  std::size_t completion_tokens() const;
  std::string whole_text() const;
  std::string whole_reasoning() const;
};

struct AnswerOptions {
  std::string_view engine;
  bool is_adapter = false;
  std::size_t tokens = 0;  // exactly so many unless tokens_max is less; 0: as many as the text has
};
Answer make_answer(const Ask& ask, const AnswerOptions& options);

// The canned answer to a well-known question, or nothing.
std::string_view find_canned_answer(std::string_view question);

}  // namespace signalbox::sim
