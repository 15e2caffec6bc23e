#include "request/messages.h"

#include <fmt/format.h>

#include <vector>

#include "request/content.h"

namespace signalbox::request {
namespace {

using exchange::Message;
using exchange::Request;
using json::Value;

constexpr std::string_view kToolRole = "tool";

std::unexpected<Error> missing(const Object& object, std::string_view key) {
  std::string path = member_path(object, key);
  std::string message = fmt::format("'{}' is required", path);
  return fail(Code::kInvalidArgument, std::move(message), std::move(path));
}

Result<void> require_elements(Value messages) {
  if (!messages.is_array()) {
    return fail(Code::kInvalidArgument, "'messages' must be an array", "messages");
  }
  if (messages.size() == 0) {
    return fail(Code::kInvalidArgument, "'messages' must hold at least one message", "messages");
  }
  return {};
}

Result<std::string_view> read_role(const Object& message, TextPool& pool) {
  SBX_TRY(const std::optional<Value> role, find_string(message, "role"));
  if (!role) return missing(message, "role");
  return pool.keep(*role);
}

Result<Content> read_content_of(const Object& message, std::string_view key, TextPool& pool) {
  SBX_TRY(const std::optional<Value> content, find_any(message, key));
  if (!content) return Content{};
  if (content->is_string()) return Content{.text = pool.keep(*content)};
  return read_content(*content, member_path(message, key), pool);
}

Result<Message> read_anthropic_message(const Object& item, TextPool& pool) {
  SBX_TRY(const std::string_view role, read_role(item, pool));
  SBX_TRY(const Content content, read_content_of(item, "content", pool));
  Message message{role, content.text, content.has_image, content.has_tool_use};
  if (content.has_tool_result && content.text.empty() && !content.has_other) {
    message.role = kToolRole;
    message.text = content.tool_text;
  }
  return message;
}

Result<Message> read_responses_item(const Object& item, TextPool& pool) {
  SBX_TRY(const std::optional<Value> type, find_string(item, "type"));
  if (type && type->equals("function_call_output")) {
    SBX_TRY(const Content output, read_content_of(item, "output", pool));
    return Message{kToolRole, output.text, output.has_image};
  }
  if (type && !type->equals("message")) {
    // A call of the assistant, its reasoning, or a reference to something stored at the engine: nothing to judge.
    return Message{.role = "assistant", .has_tool_calls = type->equals("function_call")};
  }
  SBX_TRY(const std::string_view role, read_role(item, pool));
  SBX_TRY(const Content content, read_content_of(item, "content", pool));
  return Message{role, content.text, content.has_image};
}

Result<void> append_prompt_text(Value prompt, std::string_view key,
                                std::vector<std::string_view>& out, TextPool& pool) {
  if (prompt.is_string()) {
    out.push_back(pool.keep(prompt));
    return {};
  }
  if (!prompt.is_array() && !prompt.is_object()) {
    return fail(Code::kInvalidArgument, fmt::format("'{}' must be a string or an array", key),
                std::string(key));
  }
  for (const Value element : prompt.element_range()) {
    if (element.is_string()) out.push_back(pool.keep(element));
  }
  return {};
}

}  // namespace

Result<void> read_chat_messages(Value messages, Request& request, TextPool& pool) {
  SBX_CHECK_OK(require_elements(messages));
  request.messages.reserve(messages.size());
  std::size_t index = 0;
  for (const Value element : messages.element_range()) {
    SBX_TRY(const Object item, as_object(element, fmt::format("messages[{}]", index++)));
    SBX_TRY(const std::string_view role, read_role(item, pool));
    SBX_TRY(const Content content, read_content_of(item, "content", pool));
    SBX_TRY(const std::optional<Value> calls, find_array(item, "tool_calls"));
    const bool has_calls = calls && calls->size() > 0;
    request.messages.push_back({role, content.text, content.has_image, has_calls});
  }
  const std::string_view last = request.messages.back().role;
  request.active_tool_loop = last == kToolRole || last == "function";
  return {};
}

Result<void> read_anthropic(const Object& body, Request& request, TextPool& pool) {
  SBX_TRY(const std::optional<Value> system, find_any(body, "system"));
  if (system) {
    SBX_TRY(const Content content, read_content(*system, "system", pool));
    request.messages.push_back({.role = "system", .text = content.text});
  }
  SBX_TRY(const std::optional<Value> messages, find_any(body, "messages"));
  if (!messages) return missing(body, "messages");
  SBX_CHECK_OK(require_elements(*messages));
  std::size_t index = 0;
  for (const Value element : messages->element_range()) {
    SBX_TRY(const Object item, as_object(element, fmt::format("messages[{}]", index++)));
    SBX_TRY(Message message, read_anthropic_message(item, pool));
    request.messages.push_back(message);
  }
  request.active_tool_loop = request.messages.back().role == kToolRole;
  return {};
}

Result<void> read_responses(const Object& body, Request& request, TextPool& pool) {
  SBX_TRY(const std::optional<Value> instructions, find_string(body, "instructions"));
  if (instructions) {
    request.messages.push_back({.role = "system", .text = pool.keep(*instructions)});
  }
  SBX_TRY(const std::optional<Value> input, find_any(body, "input"));
  if (!input) return {};
  if (input->is_string()) {
    request.messages.push_back({.role = "user", .text = pool.keep(*input)});
    return {};
  }
  if (!input->is_array()) {
    return fail(Code::kInvalidArgument, "'input' must be a string or an array", "input");
  }
  std::size_t index = 0;
  for (const Value element : input->element_range()) {
    SBX_TRY(const Object item, as_object(element, fmt::format("input[{}]", index++)));
    SBX_TRY(Message message, read_responses_item(item, pool));
    request.messages.push_back(message);
  }
  request.active_tool_loop = !request.messages.empty() && request.messages.back().role == kToolRole;
  return {};
}

Result<void> read_prompt(const Object& body, std::initializer_list<std::string_view> keys,
                         Request& request, TextPool& pool) {
  std::vector<std::string_view> texts;
  for (const std::string_view key : keys) {
    SBX_TRY(const std::optional<Value> prompt, find_any(body, key));
    if (prompt) SBX_CHECK_OK(append_prompt_text(*prompt, key, texts, pool));
  }
  if (texts.empty()) return {};
  const std::string_view text =
      texts.size() == 1 ? texts.front() : pool.keep(fmt::format("{}", fmt::join(texts, "\n")));
  request.messages.push_back({.role = "user", .text = text});
  return {};
}

}  // namespace signalbox::request
