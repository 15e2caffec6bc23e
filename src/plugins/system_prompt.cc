#include "plugins/system_prompt.h"

#include <optional>
#include <string>
#include <string_view>

namespace signalbox::plugins {
namespace {

using config::PromptMode;
using exchange::Endpoint;
using json::Patch;
using json::Value;

constexpr std::string_view kBlankLine = "\n\n";

class Editor {
 public:
  Editor(const config::SystemPromptPlugin& plugin, Patch& patch)
      : prompt_(plugin.system_prompt), mode_(plugin.mode), patch_(patch) {}

  // The prompt in, before or after the text under `key` of `holder`; set there when there is none.
  Result<void> edit_text(Value holder, std::string_view key) {
    SBX_TRY(const std::optional<Value> text, holder.find(key));
    const bool usable = text && (text->is_string() || text->is_array()) && !patch_.covers(*text);
    if (!usable || mode_ == PromptMode::kReplace) {
      return patch_.set_member(holder, key, json::quote(prompt_));
    }
    return text->is_string() ? edit_string(*text) : edit_parts(*text);
  }

  // The client's bytes between the quotes are taken over as they are.
  Result<void> edit_string(Value text) {
    const std::string_view quoted = text.raw();
    const std::string_view inside = quoted.substr(1, quoted.size() - 2);
    if (inside.empty()) return patch_.replace(text, json::quote(prompt_));
    std::string with = mode_ == PromptMode::kAppend
                           ? json::quote(std::string(kBlankLine) + prompt_)
                           : json::quote(prompt_ + std::string(kBlankLine));
    with.insert(mode_ == PromptMode::kAppend ? 1 : with.size() - 1, inside);
    return patch_.replace(text, std::move(with));
  }

  Result<void> put_first(Value messages) {
    return patch_.insert_element(messages, 0,
                                 R"({"role":"system","content":)" + json::quote(prompt_) + '}');
  }

 private:
  Result<void> edit_parts(Value parts) {
    const bool append = mode_ == PromptMode::kAppend;
    std::optional<Value> chosen;
    for (const Value part : parts.element_range()) {
      SBX_TRY(const std::optional<Value> text, part.find("text"));
      if (!text || !text->is_string() || (chosen && !append)) continue;
      chosen = text;
    }
    if (chosen) return edit_string(*chosen);
    return patch_.insert_element(parts, append ? parts.size() : 0,
                                 R"({"type":"text","text":)" + json::quote(prompt_) + '}');
  }

  const std::string& prompt_;
  PromptMode mode_;
  Patch& patch_;
};

Result<bool> edit_chat(Editor& editor, Value root) {
  SBX_TRY(const std::optional<Value> messages, root.find("messages"));
  if (!messages || !messages->is_array()) return false;
  for (const Value message : messages->element_range()) {
    SBX_TRY(const std::optional<Value> role, message.find("role"));
    if (!role || !(role->equals("system") || role->equals("developer"))) continue;
    SBX_CHECK_OK(editor.edit_text(message, "content"));
    return true;
  }
  SBX_CHECK_OK(editor.put_first(*messages));
  return true;
}

Result<bool> edit_field(Editor& editor, Value root, std::string_view key) {
  SBX_CHECK_OK(editor.edit_text(root, key));
  return true;
}

Result<bool> edit_prompt(const config::SystemPromptPlugin& plugin, Patch& patch, Value root) {
  SBX_TRY(const std::optional<Value> prompt, root.find("prompt"));
  if (!prompt || !prompt->is_string()) return false;
  config::SystemPromptPlugin before = plugin;
  before.mode = PromptMode::kInsert;
  SBX_CHECK_OK(Editor(before, patch).edit_string(*prompt));
  return true;
}

Result<bool> edit_body(const config::SystemPromptPlugin& plugin, const exchange::Request& request,
                       Patch& patch) {
  const Value root = request.document.root();
  Editor editor(plugin, patch);
  switch (request.endpoint) {
    case Endpoint::kChatCompletions:
      return edit_chat(editor, root);
    case Endpoint::kMessages:
      return edit_field(editor, root, "system");
    case Endpoint::kResponses:
      return edit_field(editor, root, "instructions");
    case Endpoint::kCompletions:
      return edit_prompt(plugin, patch, root);
    default:
      return false;
  }
}

}  // namespace

Result<void> add_system_prompt(const config::SystemPromptPlugin& plugin,
                               const exchange::Request& request, exchange::Edits& edits) {
  if (!plugin.enabled || plugin.system_prompt.empty()) return {};
  if (request.document.empty() || !request.document.root().is_object()) return {};
  SBX_TRY(edits.injected_system_prompt, edit_body(plugin, request, edits.body));
  return {};
}

}  // namespace signalbox::plugins
