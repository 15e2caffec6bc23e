#include "pipeline/response_headers.h"

#include <fmt/core.h>

#include <string>

namespace signalbox::pipeline {
namespace {

constexpr std::string_view kNotEvaluated = "not-evaluated";

std::string_view reasoning_word(const exchange::Candidate& candidate) {
  if (!candidate.use_reasoning) return "default";
  return *candidate.use_reasoning ? "on" : "off";
}

bool wants_debug(const exchange::Exchange& exchange) {
  return exchange.client.headers.get("x-vsr-debug") == "true";
}

std::string_view category_value(const exchange::Exchange& exchange) {
  const std::string_view category = exchange.signals.category;
  return category.empty() ? kNotEvaluated : category;
}

void add_matched(const HeaderInputs& inputs, http::Headers& headers) {
  struct Kind {
    exchange::LeafKind kind;
    const char* header;
  };
  static constexpr Kind kKinds[] = {
      {exchange::LeafKind::kKeyword, "x-vsr-matched-keywords"},
      {exchange::LeafKind::kEmbedding, "x-vsr-matched-embeddings"},
      {exchange::LeafKind::kDomain, "x-vsr-matched-domains"},
      {exchange::LeafKind::kLanguage, "x-vsr-matched-language"},
      {exchange::LeafKind::kJailbreak, "x-vsr-matched-jailbreak"},
      {exchange::LeafKind::kPii, "x-vsr-matched-pii"},
      {exchange::LeafKind::kComplexity, "x-vsr-matched-complexity"},
      {exchange::LeafKind::kFactCheck, "x-vsr-matched-fact-check"},
      {exchange::LeafKind::kUserFeedback, "x-vsr-matched-user-feedback"},
      {exchange::LeafKind::kTaskKind, "x-signalbox-matched-task-kind"},
      {exchange::LeafKind::kContext, "x-vsr-matched-context"},
      {exchange::LeafKind::kStructure, "x-vsr-matched-structure"},
      {exchange::LeafKind::kAuthz, "x-vsr-matched-authz"},
      {exchange::LeafKind::kConversation, "x-vsr-matched-conversation"},
  };
  const auto& values = inputs.exchange.signals.leaves;
  for (const auto& [kind, header] : kKinds) {
    std::string names;
    for (std::size_t i = 0; i < inputs.leaves.size() && i < values.size(); ++i) {
      if (inputs.leaves[i].kind != kind || values[i].state != exchange::SignalState::kMatch)
        continue;
      if (!names.empty()) names += ',';
      names += inputs.leaves[i].name;
    }
    if (!names.empty()) headers.set(header, names);
  }
}

void add_seed_set(const exchange::Exchange& exchange, const exchange::Candidate& candidate,
                  http::Headers& headers) {
  headers.set("x-vsr-selected-category", category_value(exchange));
  headers.set("x-vsr-selected-reasoning", reasoning_word(candidate));
  headers.set("x-vsr-injected-system-prompt",
              exchange.edits.injected_system_prompt ? "true" : "false");
  if (const auto* attempt = exchange.answering_attempt()) {
    headers.set("x-vsr-destination-endpoint", attempt->endpoint_url);
  }
  if (exchange.path == exchange::ResponsePath::kFastResponse) {
    headers.set("x-vsr-fast-response", "true");
  }
}

void add_v03_set(const HeaderInputs& inputs, bool seed_set_added, http::Headers& headers) {
  const auto& exchange = inputs.exchange;
  headers.set("x-vsr-schema-version", "2");
  headers.set("x-vsr-response-path", response_path_name(exchange.path));
  if (!exchange.decision.automatic) return;
  if (!inputs.recipe.empty()) headers.set("x-vsr-selected-recipe", inputs.recipe);
  headers.set("x-vsr-selected-confidence", fmt::format("{:.4f}", exchange.decision.confidence));
  if (exchange.decision.decision != nullptr) {
    headers.set("x-vsr-selected-algorithm", exchange.decision.decision->algorithm);
  }
  if (!wants_debug(exchange)) return;
  if (!seed_set_added) {
    headers.set("x-vsr-selected-category", category_value(exchange));
    const auto* candidate = exchange.answering_candidate();
    if (candidate != nullptr) {
      headers.set("x-vsr-selected-reasoning", reasoning_word(*candidate));
    }
    headers.set("x-vsr-injected-system-prompt",
                exchange.edits.injected_system_prompt ? "true" : "false");
  }
  headers.set("x-vsr-context-token-count", std::to_string(exchange.request.context_tokens));
  add_matched(inputs, headers);
}

}  // namespace

std::string_view response_path_name(exchange::ResponsePath path) {
  switch (path) {
    case exchange::ResponsePath::kUpstream:
      return "upstream";
    case exchange::ResponsePath::kFastResponse:
      return "fast_response";
    case exchange::ResponsePath::kBlocked:
      return "blocked";
    case exchange::ResponsePath::kRateLimited:
      return "rate_limited";
    case exchange::ResponsePath::kError:
      return "error";
    case exchange::ResponsePath::kLocal:
      return "local";
  }
  return "error";
}

std::string_view rung_name(exchange::Rung rung) {
  switch (rung) {
    case exchange::Rung::kNone:
      return {};
    case exchange::Rung::kEncoder:
      return "encoder";
    case exchange::Rung::kEmbedding:
      return "embedding";
    case exchange::Rung::kKeyword:
      return "keyword";
    case exchange::Rung::kDefault:
      return "default";
  }
  return {};
}

void add_response_headers(const HeaderInputs& inputs, http::Headers& headers) {
  const auto& exchange = inputs.exchange;
  headers.set("x-request-id", exchange.client.request_id);
  if (const auto* candidate = exchange.answering_candidate()) {
    headers.set("x-vsr-selected-model", candidate->public_name);
    if (exchange.decision.automatic) {
      headers.set("x-vsr-selected-decision",
                  exchange.decision.decision != nullptr
                      ? std::string_view(exchange.decision.decision->name)
                      : "default");
      if (inputs.set != config::HeaderSet::kV03) add_seed_set(exchange, *candidate, headers);
    }
  }
  if (inputs.set != config::HeaderSet::kSeed) {
    add_v03_set(inputs, inputs.set == config::HeaderSet::kBoth, headers);
  }
  if (!exchange.route.policy.empty()) {
    headers.set("x-signalbox-policy", exchange.route.policy);
    if (exchange.route.cached_tokens > 0)
      headers.set("x-signalbox-cached-tokens",
                  fmt::format("{}/{}", exchange.route.cached_tokens, exchange.route.prompt_tokens));
    using exchange::CacheSource;
    if (exchange.route.cache_source != CacheSource::kEstimate) {
      headers.set("x-signalbox-cache-source",
                  exchange.route.cache_source == CacheSource::kKvEvents ? "kv-events" : "lmcache");
    }
    for (const auto& attempt : exchange.attempts)
      if (attempt.prefill && attempt.status == 200)
        headers.set("x-signalbox-prefill-endpoint", attempt.endpoint_url);
  }
  const auto rung = exchange.signals.rung;
  if (rung != exchange::Rung::kNone && rung != exchange::Rung::kEncoder) {
    headers.set("x-signalbox-rung", rung_name(rung));
  }
  if (exchange.signals.foreign) headers.set("x-signalbox-low-confidence", "not-english");
  if (exchange.signals.tokens_seen < exchange.signals.tokens_total) {
    headers.set("x-signalbox-tokens-seen",
                fmt::format("{}/{}", exchange.signals.tokens_seen, exchange.signals.tokens_total));
  }
}

}  // namespace signalbox::pipeline
