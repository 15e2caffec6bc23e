#include "sim/ask.h"

#include <algorithm>
#include <optional>

#include "base/text.h"
#include "sim/prefix_cache.h"

namespace signalbox::sim {
namespace {

using json::Value;

Result<std::optional<Value>> member(std::optional<Value> object, std::string_view key) {
  if (!object) return std::nullopt;
  return object->find(key);
}

std::string string_or_empty(const std::optional<Value>& value) {
  return value && value->is_string() ? value->string() : std::string();
}

bool is_true(const std::optional<Value>& value) {
  return value && value->boolean().value_or(false);
}

// One message or input item: into the prompt, and into system or user where it belongs.
void add_message(Ask& ask, std::string_view role, std::string text) {
  ask.prompt += role;
  ask.prompt += '\n';
  ask.prompt += text;
  ask.prompt += '\n';
  if (role == "system" || role == "developer")
    ask.system = std::move(text);
  else if (role == "user")
    ask.user = std::move(text);
}

// Role of the last message, so that a tool's result is answered by text.
Result<std::string> add_messages(Ask& ask, Value messages) {
  std::string last_role;
  for (const Value message : messages.elements()) {
    SBX_TRY(const auto role, message.find("role"));
    SBX_TRY(const auto content, message.find("content"));
    last_role = string_or_empty(role);
    add_message(ask, last_role, content ? text_of(*content) : std::string());
  }
  return last_role;
}

Result<void> read_tokens_max(Ask& ask, Value root, std::string_view key) {
  SBX_TRY(const auto value, root.find(key));
  if (!value || value->is_null()) return {};
  const auto tokens = value->integer();
  if (!tokens || *tokens < 1) {
    return fail(Code::kInvalidArgument, std::string(key) + " must be at least 1", std::string(key));
  }
  ask.tokens_max = static_cast<std::size_t>(*tokens);
  return {};
}

Result<void> read_reasoning(Ask& ask, Value root) {
  SBX_TRY(const auto kwargs, root.find("chat_template_kwargs"));
  for (const char* key : {"enable_thinking", "thinking"}) {
    SBX_TRY(const auto flag, member(kwargs, key));
    ask.reasoning = ask.reasoning || is_true(flag);
  }
  SBX_TRY(const auto kwargs_effort, member(kwargs, "reasoning_effort"));
  SBX_TRY(const auto effort, root.find("reasoning_effort"));
  SBX_TRY(const auto reasoning, root.find("reasoning"));
  SBX_TRY(const auto nested_effort, member(reasoning, "effort"));
  for (const auto& value : {kwargs_effort, effort, nested_effort}) {
    if (auto text = string_or_empty(value); !text.empty()) ask.reasoning_effort = std::move(text);
  }
  if (!ask.reasoning_effort.empty()) ask.reasoning = ask.reasoning_effort != "none";
  SBX_TRY(const auto thinking, root.find("thinking"));
  SBX_TRY(const auto type, member(thinking, "type"));
  if (string_or_empty(type) == "enabled") ask.reasoning = true;
  return {};
}

// Names of the offered functions, in OpenAI's nested or in the flat form of Responses and Messages.
Result<std::vector<std::string>> tool_names(Value tools) {
  std::vector<std::string> names;
  for (const Value tool : tools.elements()) {
    SBX_TRY(const auto function, tool.find("function"));
    SBX_TRY(const auto name, function ? function->find("name") : tool.find("name"));
    if (auto text = string_or_empty(name); !text.empty()) names.push_back(std::move(text));
  }
  return names;
}

// The function to call: the one that tool_choice names, the first when a call is required, or, left to the model, one
// whose name stands in the user's text. A simulation must be predictable, so there is no other way to a call.
Result<void> read_tools(Ask& ask, Value root, std::string_view last_role) {
  SBX_TRY(const auto tools, root.find("tools"));
  if (!tools || !tools->is_array() || last_role == "tool") return {};
  SBX_TRY(const auto names, tool_names(*tools));
  if (names.empty()) return {};
  SBX_TRY(const auto choice, root.find("tool_choice"));
  if (choice && choice->is_object()) {
    SBX_TRY(const auto function, choice->find("function"));
    SBX_TRY(const auto name, function ? function->find("name") : choice->find("name"));
    ask.tool = string_or_empty(name);
    if (!ask.tool.empty()) return {};
    SBX_TRY(const auto type, choice->find("type"));
    if (const auto word = string_or_empty(type); word == "any" || word == "tool")
      ask.tool = names.front();
    if (!ask.tool.empty()) return {};
  }
  const std::string word = string_or_empty(choice);
  if (word == "none") return {};
  if (word == "required") {
    ask.tool = names.front();
    return {};
  }
  const auto named = std::ranges::find_if(
      names, [&](const std::string& name) { return ask.user.find(name) != std::string::npos; });
  if (named != names.end()) ask.tool = *named;
  return {};
}

// An engine fetches blocks only when told whose and which.
Result<void> read_kv_transfer(Ask& ask, Value root) {
  SBX_TRY(const auto params, root.find("kv_transfer_params"));
  SBX_TRY(const auto decode, member(params, "do_remote_decode"));
  SBX_TRY(const auto prefill, member(params, "do_remote_prefill"));
  SBX_TRY(const auto engine, member(params, "remote_engine_id"));
  SBX_TRY(const auto blocks, member(params, "remote_block_ids"));
  ask.keeps_blocks = is_true(decode);
  ask.fetches_blocks = is_true(prefill) && !string_or_empty(engine).empty() && blocks &&
                       blocks->is_array() && blocks->size() > 0;
  return {};
}

Result<void> read_common(Ask& ask, Value root) {
  SBX_TRY(const auto model, root.find("model"));
  if (model && !model->is_string())
    return fail(Code::kInvalidArgument, "model must be a string", "model");
  ask.model = string_or_empty(model);
  SBX_TRY(const auto stream, root.find("stream"));
  ask.stream = is_true(stream);
  SBX_TRY(const auto options, root.find("stream_options"));
  SBX_TRY(const auto include_usage, member(options, "include_usage"));
  ask.include_usage = is_true(include_usage);
  SBX_TRY(const auto salt, root.find("cache_salt"));
  ask.cache_salt = string_or_empty(salt);
  return read_kv_transfer(ask, root);
}

Result<void> read_chat(Ask& ask, Value root) {
  SBX_TRY(const auto messages, root.find("messages"));
  if (!messages || !messages->is_array() || messages->size() == 0) {
    return fail(Code::kInvalidArgument, "messages must be an array with at least one message",
                "messages");
  }
  SBX_TRY(const auto last_role, add_messages(ask, *messages));
  SBX_CHECK_OK(read_tokens_max(ask, root, "max_tokens"));
  SBX_CHECK_OK(read_tokens_max(ask, root, "max_completion_tokens"));
  SBX_CHECK_OK(read_reasoning(ask, root));
  return read_tools(ask, root, last_role);
}

Result<void> read_completions(Ask& ask, Value root) {
  SBX_TRY(const auto prompt, root.find("prompt"));
  if (!prompt || !(prompt->is_string() || prompt->is_array())) {
    return fail(Code::kInvalidArgument, "prompt must be a string or an array", "prompt");
  }
  if (prompt->is_string()) {
    ask.user = prompt->string();
  } else {
    for (const Value part : prompt->elements()) {
      if (!ask.user.empty()) ask.user += '\n';
      ask.user += part.is_string() ? part.string() : std::string(part.raw());
    }
  }
  ask.prompt = ask.user;
  return read_tokens_max(ask, root, "max_tokens");
}

Result<void> read_responses(Ask& ask, Value root) {
  SBX_TRY(const auto instructions, root.find("instructions"));
  if (auto text = string_or_empty(instructions); !text.empty())
    add_message(ask, "system", std::move(text));
  SBX_TRY(const auto input, root.find("input"));
  if (!input || !(input->is_string() || input->is_array())) {
    return fail(Code::kInvalidArgument, "input must be a string or an array", "input");
  }
  std::string last_role = "user";
  if (input->is_string()) {
    add_message(ask, "user", input->string());
  } else {
    SBX_TRY(last_role, add_messages(ask, *input));
  }
  SBX_CHECK_OK(read_tokens_max(ask, root, "max_output_tokens"));
  SBX_CHECK_OK(read_reasoning(ask, root));
  return read_tools(ask, root, last_role);
}

Result<void> read_messages(Ask& ask, Value root) {
  SBX_TRY(const auto system, root.find("system"));
  if (system) add_message(ask, "system", text_of(*system));
  return read_chat(ask, root);
}

}  // namespace

std::string text_of(Value content) {
  if (content.is_string()) return content.string();
  std::string out;
  for (const Value part : content.elements()) {
    const auto text = part.is_object() ? part.find("text") : std::optional<Value>();
    if (!text || !*text || !(*text)->is_string()) continue;
    if (!out.empty()) out += '\n';
    out += (*text)->string();
  }
  return out;
}

Result<Ask> read_ask(Dialect dialect, const json::Document& body) {
  const Value root = body.root();
  if (!root.is_object()) return fail(Code::kInvalidArgument, "the body must be a JSON object");
  Ask ask;
  SBX_CHECK_OK(read_common(ask, root));
  Result<void> read;
  switch (dialect) {
    case Dialect::kChat:
      read = read_chat(ask, root);
      break;
    case Dialect::kCompletions:
      read = read_completions(ask, root);
      break;
    case Dialect::kResponses:
      read = read_responses(ask, root);
      break;
    case Dialect::kMessages:
      read = read_messages(ask, root);
      break;
  }
  if (!read) return std::unexpected(std::move(read).error());
  return ask;
}

Result<void> use_tokenizer(Ask& ask, const prompt::PromptTokenizer& tokenizer, json::Value body,
                           prompt::BodyKind kind, std::chrono::seconds now) {
  SBX_TRY(auto rendered, tokenizer.render(body, kind, now));
  ask.ids = tokenizer.tokenize(std::move(rendered), nullptr).ids;
  ask.prompt.clear();
  for (const std::uint32_t id : ask.ids) {
    for (std::size_t byte = 0; byte < kTokenBytes; ++byte)
      ask.prompt += static_cast<char>(id >> (8 * byte) & 0xFF);
  }
  return {};
}

}  // namespace signalbox::sim
