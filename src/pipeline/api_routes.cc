#include "pipeline/api_routes.h"

#include <fmt/core.h>

#include <utility>

#include "json/document.h"
#include "pipeline/explain.h"

namespace signalbox::pipeline {
namespace {

constexpr std::string_view kEval = "/api/v1/eval";

// {"text": "..."} is short for one user message; a body with messages is judged as it is.
Result<std::string> chat_body(const std::string& body, const config::Config& config) {
  SBX_TRY(const auto document, json::Document::parse(body));
  SBX_TRY(const auto text, document.root().find("text"));
  SBX_TRY(const auto model, document.root().find("model"));
  if (!text) {
    SBX_TRY(const auto messages, document.root().find("messages"));
    if (!messages) return fail(Code::kInvalidArgument, "send either text or messages", "text");
    if (model) return body;
    json::Patch patch;
    SBX_CHECK_OK(
        patch.set_member(document.root(), "model", json::quote(config.auto_model_names.front())));
    return patch.apply(body);
  }
  if (!text->is_string()) return fail(Code::kInvalidArgument, "text must be a string", "text");
  const std::string name = model && model->is_string()       ? model->string()
                           : config.auto_model_names.empty() ? std::string("auto")
                                                             : config.auto_model_names.front();
  return body_for_text(name, text->string());
}

Result<bool> wants_all(const std::string& body) {
  SBX_TRY(const auto document, json::Document::parse(body));
  SBX_TRY(const auto options, document.root().find("options"));
  if (!options) return false;
  SBX_TRY(const auto all, options->find("evaluate_all_signals"));
  return all && all->boolean().value_or(false);
}

}  // namespace

bool is_api_path(std::string_view path) { return path.starts_with("/api/v1/"); }

net::Task<Result<std::string>> answer_api(ApiCall call) {
  if (call.client.path != kEval) {
    co_return fail(Code::kNotFound, fmt::format("Unknown path {}", call.client.path));
  }
  if (call.client.method != "POST") {
    co_return fail(Code::kMethodNotAllowed, fmt::format("{} answers POST only", kEval));
  }
  exchange::ClientRequest client = call.client;
  ExplainOptions options;
  SBX_CO_TRY(options.exhaustive, wants_all(call.client.body));
  SBX_CO_TRY(client.body, chat_body(call.client.body, *call.snapshot.config));
  client.path = "/v1/chat/completions";
  SBX_CO_TRY(const auto explanation, co_await explain(std::move(client), call.identity,
                                                      &call.snapshot, &call.loop, options));
  co_return to_json(explanation);
}

}  // namespace signalbox::pipeline
