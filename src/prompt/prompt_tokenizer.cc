#include "prompt/prompt_tokenizer.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <optional>
#include <utility>

#include "base/file.h"
#include "base/limits.h"

namespace signalbox::prompt {
namespace {

using chat_template::Map;
using chat_template::None;
using chat_template::Template;
using chat_template::Value;

constexpr auto kSpecialTokens = std::to_array<std::string_view>(
    {"bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"});
// Members of chat_template_kwargs that are arguments of the engine's own call and not variables.
constexpr auto kReserved = std::to_array<std::string_view>(
    {"chat_template", "tokenize", "conversation", "messages", "tools", "documents",
     "add_generation_prompt", "continue_final_message", "padding", "truncation", "max_length",
     "return_tensors", "return_dict", "return_assistant_tokens_mask", "tokenizer_kwargs"});

Result<std::optional<json::Value>> member(json::Value object, std::string_view key) {
  SBX_TRY(const auto found, object.find(key));
  if (!found || found->is_null()) return std::nullopt;
  return *found;
}

Result<bool> flag(json::Value body, std::string_view key, bool otherwise) {
  SBX_TRY(const auto found, member(body, key));
  if (!found) return otherwise;
  const auto value = found->boolean();
  if (!value) return fail(Code::kUnsupported, std::string(key) + " is left to the engine");
  return *value;
}

// What the engine merges into the variables, without what it takes for unset.
Result<void> add_kwargs(json::Value body, Map& variables) {
  SBX_TRY(const auto kwargs, member(body, "chat_template_kwargs"));
  if (!kwargs) return {};
  if (!kwargs->is_object())
    return fail(Code::kInvalidArgument, "chat_template_kwargs is no object");
  for (const auto& entry : kwargs->member_range()) {
    const std::string key = entry.key.string();
    if (std::ranges::find(kReserved, key) != kReserved.end())
      return fail(Code::kUnsupported, "chat_template_kwargs." + key + " is left to the engine");
    if (entry.value.is_null() || entry.value.equals("auto")) continue;
    SBX_TRY(auto value, chat_template::from_json(entry.value));
    variables.set(key, std::move(value));
  }
  return {};
}

// Fields of a generating request that its rendering sees and that of /tokenize does not.
Result<void> add_generation_fields(json::Value body, Map& variables) {
  SBX_TRY(const auto documents, member(body, "documents"));
  if (documents) {
    SBX_TRY(auto value, chat_template::from_json(*documents));
    variables.set("documents", std::move(value));
  }
  SBX_TRY(const auto effort, member(body, "reasoning_effort"));
  if (!effort || effort->equals("auto")) return {};
  SBX_TRY(auto value, chat_template::from_json(*effort));
  variables.set("reasoning_effort", std::move(value));
  if (variables.find("enable_thinking") == nullptr)
    variables.set("enable_thinking", Value(!effort->equals("none")));
  return {};
}

// {"content": "<s>", ..} or "<s>".
std::optional<std::string> token_text(json::Value token) {
  if (token.is_string()) return token.string();
  const auto content = token.is_object() ? token.find("content") : std::optional<json::Value>();
  if (content && *content && (*content)->is_string()) return (*content)->string();
  return std::nullopt;
}

Error in_file(Error error, const std::string& path) {
  error.message = path + ": " + error.message;
  return error;
}

Result<std::shared_ptr<const Template>> compiled(std::string source, const std::string& path) {
  auto made = Template::compile(std::move(source));
  if (!made) return std::unexpected(in_file(std::move(made).error(), path));
  return made;
}

}  // namespace

Result<std::shared_ptr<const PromptTokenizer>> PromptTokenizer::load(const std::string& directory) {
  auto made = std::unique_ptr<PromptTokenizer>(new PromptTokenizer());
  SBX_TRY(made->tokenizer_, tokenize::load_tokenizer(directory));
  SBX_CHECK_OK(made->read_config(directory));
  return std::shared_ptr<const PromptTokenizer>(std::move(made));
}

Result<void> PromptTokenizer::read_config(const std::string& directory) {
  const std::string path = directory + "/tokenizer_config.json";
  std::error_code ignored;
  std::string text = "{}";
  if (std::filesystem::exists(path, ignored)) {
    SBX_TRY(text, read_file(path, limits::kTokenizerConfigBytesMax));
  }
  const auto document = json::Document::parse(text);
  if (!document || !document->root().is_object())
    return fail(Code::kCorrupt, path + ": not a JSON object");
  for (const std::string_view name : kSpecialTokens) {
    const auto token = member(document->root(), name);
    if (!token) return std::unexpected(in_file(token.error(), path));
    if (!*token) continue;
    if (auto spelled = token_text(**token)) special_tokens_.set(name, Value(*std::move(spelled)));
  }
  return read_templates(directory, document->root());
}

// A file of its own counts before the configuration.
Result<void> PromptTokenizer::read_templates(const std::string& directory, json::Value config) {
  const std::string path = directory + "/chat_template.jinja";
  std::error_code ignored;
  if (std::filesystem::exists(path, ignored)) {
    SBX_TRY(auto source, read_file(path, limits::kTemplateBytesMax));
    SBX_TRY(template_, compiled(std::move(source), path));
    return {};
  }
  const std::string name = directory + "/tokenizer_config.json";
  SBX_TRY(const auto written, member(config, "chat_template"));
  if (!written) return {};
  if (written->is_string()) {
    SBX_TRY(template_, compiled(written->string(), name));
    return {};
  }
  if (!written->is_array())
    return fail(Code::kCorrupt, name + ": chat_template is of no known shape");
  for (const json::Value entry : written->element_range()) {
    SBX_TRY(const auto called, member(entry, "name"));
    SBX_TRY(const auto source, member(entry, "template"));
    if (!called || !source || !source->is_string())
      return fail(Code::kCorrupt, name + ": chat_template is of no known shape");
    if (called->equals("default")) {
      SBX_TRY(template_, compiled(source->string(), name));
    } else if (called->equals("tool_use")) {
      SBX_TRY(tool_template_, compiled(source->string(), name));
    }
  }
  return {};
}

Features PromptTokenizer::features() const {
  if (!template_) return kText;
  const auto mentions = [this](std::string_view word) {
    return template_->mentions(word) || (tool_template_ && tool_template_->mentions(word));
  };
  Features features = kText | kChat | kParts;
  if (mentions("tools")) features |= kTools;
  if (mentions("tool_calls") || mentions("'tool'") || mentions("\"tool\"")) features |= kToolCalls;
  return features;
}

Result<Rendered> PromptTokenizer::render(json::Value body, BodyKind kind,
                                         std::chrono::seconds now) const {
  if (!body.is_object()) return fail(Code::kInvalidArgument, "the body is no object");
  SBX_TRY(const auto messages, member(body, "messages"));
  if (messages) return render_chat(body, kind, now);
  SBX_TRY(const auto prompt, member(body, "prompt"));
  if (!prompt || !prompt->is_string())
    return fail(Code::kUnsupported, "a prompt that is no text is left to the engine");
  Rendered rendered{.text = prompt->string()};
  SBX_TRY(rendered.framed, flag(body, "add_special_tokens", true));
  return rendered;
}

Result<Rendered> PromptTokenizer::render_chat(json::Value body, BodyKind kind,
                                              std::chrono::seconds now) const {
  SBX_TRY(const auto own_template, member(body, "chat_template"));
  SBX_TRY(const bool continues, flag(body, "continue_final_message", false));
  if (own_template || continues || !template_)
    return fail(Code::kUnsupported, "another rendering than the model's is left to the engine");
  SBX_TRY(const auto tools, member(body, "tools"));
  const Template& used = tools && tool_template_ ? *tool_template_ : *template_;
  SBX_TRY(auto conversation, read_conversation(body, used));
  Map variables = special_tokens_;
  variables.set("documents", Value(None{}));
  SBX_CHECK_OK(add_kwargs(body, variables));
  if (kind == BodyKind::kGeneration) SBX_CHECK_OK(add_generation_fields(body, variables));
  SBX_TRY(const bool prompts, flag(body, "add_generation_prompt", true));
  variables.set("add_generation_prompt", Value(prompts));
  variables.set("messages", std::move(conversation.messages));
  variables.set("tools", std::move(conversation.tools));
  Rendered rendered{.text = {}, .features = conversation.features};
  SBX_TRY(rendered.framed, flag(body, "add_special_tokens", false));
  SBX_TRY(rendered.text, used.render(variables, now));
  return rendered;
}

// The last special token of `before` up to which the ids of both are the same: what stands before it does not depend on
// what follows, except that a longer token might have begun there.
const tokenize::Mark* PromptTokenizer::resume(const Rendered& rendered,
                                              const Tokenized* before) const {
  if (before == nullptr || before->marks.empty() || before->rendered.framed != rendered.framed)
    return nullptr;
  const std::string& old = before->rendered.text;
  const auto differs = std::ranges::mismatch(old, rendered.text);
  const auto common = static_cast<std::size_t>(differs.in1 - old.begin());
  const std::size_t lookahead = tokenizer_->lookahead();
  if (common < lookahead) return nullptr;
  const auto after =
      std::ranges::upper_bound(before->marks, common - lookahead, {}, &tokenize::Mark::text_begin);
  return after == before->marks.begin() ? nullptr : &*(after - 1);
}

std::size_t PromptTokenizer::new_bytes(const Rendered& rendered, const Tokenized* before) const {
  const tokenize::Mark* from = resume(rendered, before);
  return rendered.text.size() - (from == nullptr ? 0 : from->text_begin);
}

Tokenized PromptTokenizer::tokenize(Rendered rendered, const Tokenized* before) const {
  Tokenized out;
  const tokenize::Mark* from = resume(rendered, before);
  std::vector<std::int32_t> ids;
  std::size_t begin = 0;
  if (from != nullptr) {
    begin = from->text_begin;
    out.ids.assign(before->ids.begin(),
                   before->ids.begin() + static_cast<std::ptrdiff_t>(from->ids_before));
    out.marks.assign(before->marks.begin(), before->marks.begin() + (from - &before->marks[0]));
  } else if (rendered.framed) {
    ids = tokenizer_->frame().before;
  }
  std::vector<tokenize::Mark> marks;
  tokenizer_->tokenize_marked(std::string_view(rendered.text).substr(begin), ids, marks);
  for (const tokenize::Mark& mark : marks)
    out.marks.push_back({mark.text_begin + begin, mark.ids_before + out.ids.size()});
  if (rendered.framed)
    ids.insert(ids.end(), tokenizer_->frame().after.begin(), tokenizer_->frame().after.end());
  out.ids.reserve(out.ids.size() + ids.size());
  for (const std::int32_t id : ids) out.ids.push_back(static_cast<std::uint32_t>(id));
  out.rendered = std::move(rendered);
  return out;
}

}  // namespace signalbox::prompt
