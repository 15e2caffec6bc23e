#include "upstream/render.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

namespace signalbox::upstream {
namespace {

using config::ReasoningType;
using exchange::Endpoint;
using json::Patch;
using json::Value;

constexpr std::string_view kEffort = "reasoning_effort";
constexpr std::string_view kTemplateArguments = "chat_template_kwargs";

// A member of an object inside the body. Where the outer member is absent, removed by a plugin or no object, there is
// nothing to edit inside and the object is written anew.
Result<void> set_inside(Patch& patch, Value root, std::string_view outer, std::string_view key,
                        std::string raw) {
  SBX_TRY(const std::optional<Value> object, root.find(outer));
  if (object && object->is_object() && !patch.covers(*object)) {
    return patch.set_member(*object, key, std::move(raw));
  }
  std::string text = "{";
  json::append_quoted(text, key);
  text += ':';
  text += raw;
  text += '}';
  return patch.set_member(root, outer, std::move(text));
}

Result<void> remove_inside(Patch& patch, Value root, std::string_view outer, std::string_view key) {
  SBX_TRY(const std::optional<Value> object, root.find(outer));
  if (!object || !object->is_object() || patch.covers(*object)) return {};
  return patch.remove_member(*object, key);
}

std::string effort_of(const exchange::Candidate& candidate) {
  return json::quote(candidate.reasoning_effort.empty() ? "medium" : candidate.reasoning_effort);
}

std::string_view parameter_of(const config::ReasoningFamily& family) {
  return family.parameter.empty() ? kEffort : std::string_view(family.parameter);
}

// One place says the effort, so that no engine has to choose between two.
Result<void> set_effort(Patch& patch, Value root, const exchange::Candidate& candidate,
                        const config::ReasoningFamily& family, Dialect dialect) {
  const std::string_view parameter = parameter_of(family);
  const bool top_level =
      family.type == ReasoningType::kTopLevelReasoningEffort || dialect == Dialect::kHosted;
  const bool on = *candidate.use_reasoning;
  if (on && top_level) {
    SBX_CHECK_OK(patch.set_member(root, parameter, effort_of(candidate)));
  } else {
    SBX_CHECK_OK(patch.remove_member(root, parameter));
    SBX_CHECK_OK(patch.remove_member(root, kEffort));
  }
  if (on && !top_level)
    return set_inside(patch, root, kTemplateArguments, parameter, effort_of(candidate));
  return remove_inside(patch, root, kTemplateArguments, parameter);
}

Result<void> edit_chat_reasoning(Patch& patch, Value root, const exchange::Candidate& candidate,
                                 const config::ReasoningFamily* family, Dialect dialect) {
  if (family == nullptr) return patch.remove_member(root, kEffort);
  if (family->type != ReasoningType::kChatTemplateKwargs) {
    return set_effort(patch, root, candidate, *family, dialect);
  }
  return set_inside(patch, root, kTemplateArguments, family->parameter,
                    *candidate.use_reasoning ? "true" : "false");
}

Result<void> edit_responses_reasoning(Patch& patch, Value root,
                                      const exchange::Candidate& candidate,
                                      const config::ReasoningFamily* family) {
  const bool takes_effort = family != nullptr && family->type != ReasoningType::kChatTemplateKwargs;
  if (takes_effort && *candidate.use_reasoning) {
    return set_inside(patch, root, "reasoning", "effort", effort_of(candidate));
  }
  if (takes_effort || family == nullptr) return remove_inside(patch, root, "reasoning", "effort");
  return {};
}

Result<void> edit_reasoning(Patch& patch, const exchange::Request& request,
                            const exchange::Candidate& candidate,
                            const config::ReasoningFamily* family, Dialect dialect) {
  if (!candidate.use_reasoning) return {};
  const Value root = request.document.root();
  if (request.endpoint == Endpoint::kChatCompletions) {
    return edit_chat_reasoning(patch, root, candidate, family, dialect);
  }
  if (request.endpoint == Endpoint::kResponses) {
    return edit_responses_reasoning(patch, root, candidate, family);
  }
  return {};
}

Result<void> edit_model(Patch& patch, const exchange::Request& request,
                        const exchange::Candidate& candidate) {
  const Value root = request.document.root();
  SBX_TRY(const std::optional<Value> model, root.find("model"));
  // A body we know nothing about may have a use for every key; none is added.
  if (!model && request.endpoint == Endpoint::kOther) return {};
  if (model && model->equals(candidate.upstream_name) && !patch.covers(*model)) return {};
  return patch.set_member(root, "model", json::quote(candidate.upstream_name));
}

bool wants_usage_chunk(const exchange::Request& request, const RenderOptions& options) {
  const bool has_option =
      request.endpoint == Endpoint::kChatCompletions || request.endpoint == Endpoint::kCompletions;
  return options.add_include_usage && has_option && request.stream;
}

bool has_object(const exchange::Request& request) {
  return !request.document.empty() && request.document.root().is_object();
}

// Blocks of the prompt stay at the engine until another has fetched them (vLLM's connector for disaggregated prefill).
constexpr std::string_view kKeepForRemoteDecode =
    R"({"do_remote_decode":true,"do_remote_prefill":false,"remote_engine_id":null,)"
    R"("remote_block_ids":null,"remote_host":null,"remote_port":null})";

Result<void> edit_prefill_half(Patch& patch, Value root, const RenderOptions& options) {
  constexpr std::array<std::string_view, 5> kContradicting = {"min_tokens", "stream_options", "n",
                                                              "best_of", "use_beam_search"};
  for (const std::string_view key : kContradicting) SBX_CHECK_OK(patch.remove_member(root, key));
  SBX_CHECK_OK(patch.set_member(root, "stream", "false"));
  SBX_CHECK_OK(patch.set_member(root, "max_tokens", "1"));
  SBX_TRY(const auto completion_tokens, root.find("max_completion_tokens"));
  if (completion_tokens) SBX_CHECK_OK(patch.set_member(root, "max_completion_tokens", "1"));
  if (!options.asks_for_transfer) return {};
  return patch.set_member(root, "kv_transfer_params", std::string(kKeepForRemoteDecode));
}

}  // namespace

Dialect dialect_of(std::string_view provider, std::string_view host) {
  // APIs that refuse fields they do not know, chat_template_kwargs among them.
  constexpr std::array<std::string_view, 9> kHostedProviders = {
      "openai",    "azure-openai", "azure",   "mistral", "gemini",
      "vertex-ai", "groq",         "minimax", "xai"};
  constexpr std::array<std::string_view, 4> kHostedSuffixes = {"openai.com", "openai.azure.com",
                                                               "mistral.ai", "googleapis.com"};
  if (std::ranges::find(kHostedProviders, provider) != kHostedProviders.end())
    return Dialect::kHosted;
  const bool hosted = std::ranges::any_of(kHostedSuffixes, [host](std::string_view suffix) {
    return host.ends_with(suffix) &&
           (host.size() == suffix.size() || host[host.size() - suffix.size() - 1] == '.');
  });
  return hosted ? Dialect::kHosted : Dialect::kEngine;
}

Result<Patch> render_patch(const exchange::Request& request, const Patch& plugin_edits,
                           const exchange::Candidate& candidate,
                           const config::ReasoningFamily* family, const RenderOptions& options) {
  if (options.api_format == "anthropic" && request.endpoint == Endpoint::kChatCompletions) {
    return fail(Code::kUnsupported, "this model speaks Anthropic's API: use /v1/messages", "model");
  }
  Patch patch = plugin_edits;
  if (!has_object(request)) return patch;
  const Value root = request.document.root();
  SBX_CHECK_OK(edit_model(patch, request, candidate));
  SBX_CHECK_OK(edit_reasoning(patch, request, candidate, family, options.dialect));
  if (options.prefill_half) {
    SBX_CHECK_OK(edit_prefill_half(patch, root, options));
    return patch;
  }
  if (!options.kv_transfer_params.empty()) {
    SBX_CHECK_OK(
        patch.set_member(root, "kv_transfer_params", std::string(options.kv_transfer_params)));
  }
  if (wants_usage_chunk(request, options)) {
    SBX_CHECK_OK(set_inside(patch, root, "stream_options", "include_usage", "true"));
  }
  return patch;
}

Result<json::EditedText> render_body(const exchange::ClientRequest& client,
                                     const exchange::Request& request, const Patch& plugin_edits,
                                     const exchange::Candidate& candidate,
                                     const config::ReasoningFamily* family,
                                     const RenderOptions& options) {
  if (request.form_model) {
    const auto [begin, end] = *request.form_model;
    return json::EditedText(client.body, {{begin, end, candidate.upstream_name}});
  }
  SBX_TRY(Patch patch, render_patch(request, plugin_edits, candidate, family, options));
  return json::EditedText(client.body, std::move(patch).edits());
}

Result<json::EditedText> render_attempt(const exchange::Exchange& exchange,
                                        const config::Config& config,
                                        const exchange::Candidate& candidate,
                                        const config::BackendRef& backend, RenderOptions options) {
  const auto& families = config.providers.reasoning_families;
  const auto family = families.find(candidate.model->reasoning_family);
  options.dialect = dialect_of(backend.provider, backend.host);
  options.api_format = candidate.model->api_format;
  return render_body(exchange.client, exchange.request, exchange.edits.body, candidate,
                     family == families.end() ? nullptr : &family->second, options);
}

}  // namespace signalbox::upstream
