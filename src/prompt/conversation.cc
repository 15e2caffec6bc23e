#include "prompt/conversation.h"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace signalbox::prompt {
namespace {

using chat_template::ContentFormat;
using chat_template::from_json;
using chat_template::List;
using chat_template::Map;
using chat_template::None;
using chat_template::Value;

// vLLM drops this line of one client, which changes with every request.
constexpr std::string_view kDroppedHeader = "x-anthropic-billing-header";

std::unexpected<Error> not_followed(std::string_view what) {
  return fail(Code::kUnsupported, std::string(what) + " is left to the engine");
}

// Nothing when absent or null.
Result<std::optional<json::Value>> member(json::Value object, std::string_view key) {
  SBX_TRY(const auto found, object.find(key));
  if (!found || found->is_null()) return std::nullopt;
  return *found;
}

Result<void> only_members(json::Value object, std::initializer_list<std::string_view> known) {
  std::string storage;
  for (const auto& entry : object.member_range()) {
    const std::string_view key = entry.key.string_view(storage);
    bool found = false;
    for (const std::string_view one : known) found = found || one == key;
    if (!found) return not_followed("an unusual member");
  }
  return {};
}

Result<std::string> text_of_part(json::Value part) {
  if (part.is_string()) return part.string();
  if (!part.is_object()) return fail(Code::kInvalidArgument, "a part of content is no object");
  SBX_CHECK_OK(only_members(part, {"type", "text"}));
  SBX_TRY(const auto type, member(part, "type"));
  SBX_TRY(const auto text, member(part, "text"));
  if (!type || !type->equals("text") || !text || !text->is_string())
    return not_followed("content other than text");
  return text->string();
}

// Texts of the content, one a part.
Result<std::vector<std::string>> texts_of(json::Value message, Features& features) {
  std::vector<std::string> texts;
  SBX_TRY(const auto content, member(message, "content"));
  if (!content) return texts;
  if (content->is_string()) {
    texts.push_back(content->string());
    return texts;
  }
  if (!content->is_array())
    return fail(Code::kInvalidArgument, "content is neither text nor parts");
  features |= kParts;
  for (const json::Value part : content->element_range()) {
    SBX_TRY(auto text, text_of_part(part));
    texts.push_back(std::move(text));
  }
  return texts;
}

Value content_of(std::vector<std::string> texts, bool in_parts) {
  if (in_parts) {
    List parts;
    for (std::string& text : texts) {
      Map part;
      part.set("type", Value("text"));
      part.set("text", Value(std::move(text)));
      parts.items.emplace_back(std::move(part));
    }
    return Value(std::move(parts));
  }
  if (texts.size() == 1) return Value(std::move(texts[0]));
  std::string joined;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (i > 0) joined += '\n';
    joined += texts[i];
  }
  return Value(std::move(joined));
}

// JSON text in a string, as OpenAI's API has it, becomes the object that templates want; what is none becomes empty.
Result<Value> arguments_of(json::Value written) {
  if (written.is_object()) return from_json(written);
  if (!written.is_string()) return not_followed("arguments of an unusual type");
  const std::string text = written.string();
  const auto document = json::Document::parse(text);
  if (document) {
    if (document->root().is_object()) return from_json(document->root());
    return Value(Map{});
  }
  // Python reads these.
  if (text.find("NaN") != std::string::npos || text.find("Infinity") != std::string::npos)
    return not_followed("arguments with NaN");
  return Value(Map{});
}

// In the order of the engine's types, not of the client.
Result<Value> tool_call(json::Value call) {
  if (!call.is_object()) return fail(Code::kInvalidArgument, "a call is no object");
  SBX_CHECK_OK(only_members(call, {"id", "type", "function", "index"}));
  SBX_TRY(const auto id, member(call, "id"));
  SBX_TRY(const auto type, member(call, "type"));
  SBX_TRY(const auto function, member(call, "function"));
  if (!id || !id->is_string() || !type || !type->equals("function") || !function ||
      !function->is_object() || call.size() != 3)
    return not_followed("a call of an unusual shape");
  SBX_CHECK_OK(only_members(*function, {"name", "arguments"}));
  SBX_TRY(const auto name, member(*function, "name"));
  SBX_TRY(const auto written, member(*function, "arguments"));
  if (!name || !name->is_string() || !written) return not_followed("a call of an unusual shape");
  Map inner;
  SBX_TRY(auto arguments, arguments_of(*written));
  inner.set("arguments", std::move(arguments));
  inner.set("name", Value(name->string()));
  Map out;
  out.set("id", Value(id->string()));
  out.set("function", Value(std::move(inner)));
  out.set("type", Value("function"));
  return Value(std::move(out));
}

Result<void> add_tool_calls(json::Value message, Map& out, Features& features) {
  SBX_TRY(const auto calls, member(message, "tool_calls"));
  if (!calls) return {};
  if (!calls->is_array()) return fail(Code::kInvalidArgument, "tool_calls is no array");
  if (calls->size() == 0) return {};
  features |= kToolCalls;
  List list;
  for (const json::Value call : calls->element_range()) {
    SBX_TRY(auto one, tool_call(call));
    list.items.push_back(std::move(one));
  }
  out.set("tool_calls", Value(std::move(list)));
  return {};
}

Result<void> refuse_reasoning(json::Value message, const chat_template::Template& knows) {
  if (!knows.mentions("reasoning")) return {};
  for (const char* key : {"reasoning", "reasoning_content"}) {
    SBX_TRY(const auto thoughts, member(message, key));
    if (thoughts) return not_followed("reasoning of earlier turns");
  }
  return {};
}

Result<Value> read_message(json::Value message, const chat_template::Template& knows,
                           Features& features) {
  if (!message.is_object()) return fail(Code::kInvalidArgument, "a message is no object");
  SBX_TRY(const auto role, member(message, "role"));
  if (!role || !role->is_string()) return fail(Code::kInvalidArgument, "a message has no role");
  if (role->equals("developer")) return not_followed("the role developer");
  SBX_CHECK_OK(refuse_reasoning(message, knows));
  SBX_TRY(const auto task, member(message, "task"));
  if (task) return not_followed("a task");
  SBX_TRY(auto texts, texts_of(message, features));
  const bool tool = role->equals("tool");
  if (role->equals("system")) {
    for (const std::string& text : texts) {
      if (text.starts_with(kDroppedHeader)) return not_followed("a dropped header");
    }
  }
  Map out;
  out.set("role", Value(role->string()));
  // Results of tools are one text, whatever the template wants of others.
  const bool in_parts = knows.content_format() == ContentFormat::kParts && !tool;
  out.set("content", content_of(std::move(texts), in_parts));
  if (role->equals("assistant")) SBX_CHECK_OK(add_tool_calls(message, out, features));
  if (tool) {
    features |= kToolCalls;
    SBX_TRY(const auto id, message.find("tool_call_id"));
    if (id) {
      SBX_TRY(auto value, from_json(*id));
      out.set("tool_call_id", std::move(value));
    }
  }
  SBX_TRY(const auto name, member(message, "name"));
  if (name && name->is_string()) out.set("name", Value(name->string()));
  return Value(std::move(out));
}

Result<Value> read_tool(json::Value tool) {
  if (!tool.is_object()) return fail(Code::kInvalidArgument, "a tool is no object");
  SBX_CHECK_OK(only_members(tool, {"type", "function"}));
  SBX_TRY(const auto type, member(tool, "type"));
  SBX_TRY(const auto function, member(tool, "function"));
  if ((type && !type->equals("function")) || !function || !function->is_object())
    return not_followed("a tool that is no function");
  SBX_CHECK_OK(only_members(*function, {"name", "description", "parameters", "strict"}));
  Map inner;
  for (const char* key : {"name", "description", "parameters"}) {
    SBX_TRY(const auto found, member(*function, key));
    Value value{None{}};
    if (found) {
      SBX_TRY(value, from_json(*found));
    }
    inner.set(key, std::move(value));
  }
  SBX_TRY(const auto strict, function->find("strict"));
  if (strict) {
    if (!strict->boolean()) return not_followed("an unusual member");
    inner.set("strict", Value(*strict->boolean()));
  }
  Map out;
  out.set("type", Value("function"));
  out.set("function", Value(std::move(inner)));
  return Value(std::move(out));
}

}  // namespace

Result<Conversation> read_conversation(json::Value body, const chat_template::Template& knows) {
  Conversation out;
  SBX_TRY(const auto messages, member(body, "messages"));
  if (!messages || !messages->is_array())
    return fail(Code::kInvalidArgument, "messages is no array");
  List list;
  for (const json::Value message : messages->element_range()) {
    SBX_TRY(auto one, read_message(message, knows, out.features));
    list.items.push_back(std::move(one));
  }
  out.messages = Value(std::move(list));
  out.tools = Value(None{});
  SBX_TRY(const auto tools, member(body, "tools"));
  if (!tools) return out;
  if (!tools->is_array() || tools->size() == 0) return not_followed("an empty list of tools");
  out.features |= kTools;
  List offered;
  for (const json::Value tool : tools->element_range()) {
    SBX_TRY(auto one, read_tool(tool));
    offered.items.push_back(std::move(one));
  }
  out.tools = Value(std::move(offered));
  return out;
}

}  // namespace signalbox::prompt
