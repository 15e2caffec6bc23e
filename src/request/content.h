// What a message says: its text and what else it carries, from the `content` shapes of the three chat APIs.
#pragma once

#include <string_view>

#include "base/error.h"
#include "request/fields.h"

namespace signalbox::request {

struct Content {
  std::string_view text;  // parts joined by newlines; texts inside tool results are not part of it
  std::string_view tool_text;  // text of tool results (Anthropic blocks)
  bool has_image = false;
  bool has_tool_use = false;     // the assistant calls a tool (Anthropic block)
  bool has_tool_result = false;  // a tool answers (Anthropic block)
  bool has_other = false;        // any part that is neither text nor a tool result
};

// `value` is a string, an array of parts, or an array with plain strings in it (vLLM takes those). Text is read from
// every part with a `text`, whatever its type, so that no part type hides words from the rules.
// Errors: kInvalidArgument for other types, parts that are no objects, repeated keys in a part, a
// text that is no string.
Result<Content> read_content(json::Value value, const std::string& path, TextPool& pool);

}  // namespace signalbox::request
