#include <fmt/core.h>

#include <algorithm>

#include "json/writer.h"
#include "pipeline/explain.h"

namespace signalbox::pipeline {
namespace {

std::string_view state_word(exchange::SignalState state) {
  switch (state) {
    case exchange::SignalState::kNotEvaluated:
      return "not evaluated";
    case exchange::SignalState::kNoMatch:
      return "no match";
    case exchange::SignalState::kMatch:
      return "match";
    case exchange::SignalState::kFailed:
      return "failed";
  }
  return "failed";
}

std::string_view tier_word(exchange::CostTier tier) {
  switch (tier) {
    case exchange::CostTier::kHeaders:
      return "headers";
    case exchange::CostTier::kText:
      return "text";
    case exchange::CostTier::kEncoder:
      return "encoder";
  }
  return "encoder";
}

void write_leaves(json::Writer& out, const Explanation& e) {
  out.key("signals").begin_array();
  for (const auto& leaf : e.leaves) {
    out.begin_object().key("type").string(leaf.type).key("name").string(leaf.name);
    out.key("state").string(state_word(leaf.state)).key("cost").string(tier_word(leaf.tier));
    if (!leaf.skipped.empty()) out.key("skipped").string(leaf.skipped);
    // Of a match only: what did not match has no confidence in itself.
    if (leaf.state == exchange::SignalState::kMatch) out.key("confidence").number(leaf.confidence);
    if (leaf.threshold) out.key("threshold").number(*leaf.threshold);
    out.end_object();
  }
  out.end_array();
}

void write_decisions(json::Writer& out, const Explanation& e) {
  out.key("decisions").begin_array();
  for (const auto& decision : e.decisions) {
    out.begin_object().key("name").string(decision.name).key("match").string(decision.match);
    out.key("priority").integer(decision.priority).key("tier").integer(decision.tier);
    out.key("confidence_low").number(decision.confidence_low);
    out.key("confidence_high").number(decision.confidence_high).end_object();
  }
  out.end_array();
}

void write_classification(json::Writer& out, const Explanation& e) {
  out.key("classification").begin_object();
  if (!e.category.empty()) {
    out.key("category").string(e.category).key("confidence").number(e.category_confidence);
    out.key("rung").string(e.rung);
  }
  if (!e.language.empty()) out.key("language").string(e.language);
  out.key("context_tokens").integer(e.context_tokens);
  out.key("tokens_seen").integer(e.tokens_seen).key("tokens_total").integer(e.tokens_total);
  out.key("encoder_passes").integer(e.encoder_passes).key("encoder_ms").number(e.encoder_ms);
  out.end_object();
}

}  // namespace

std::string to_json(const Explanation& e) {
  std::string text;
  json::Writer out(text);
  out.begin_object().key("requested_model").string(e.requested);
  out.key("decision_result").begin_object();
  out.key("decision_name").string(e.decision).key("confidence").number(e.confidence);
  if (e.runner_up.empty()) {
    out.key("runner_up").null();
  } else {
    out.key("runner_up").string(e.runner_up);
    out.key("margin").number(e.margin).key("margin_unit").string(e.margin_unit);
  }
  out.end_object();
  out.key("selected_model").string(e.upstream_name);
  out.key("route").begin_object().key("model").string(e.model).key("adapter").string(e.adapter);
  out.key("reasoning").string(e.reasoning).key("effort").string(e.effort);
  out.key("system_prompt_mode").string(e.prompt_mode);
  out.key("policy").string(e.policy).end_object();
  write_classification(out, e);
  write_leaves(out, e);
  write_decisions(out, e);
  out.key("total_ms").number(e.total_ms).end_object();
  return text;
}

std::string to_text(const Explanation& e) {
  std::string out = fmt::format("decision   {} (confidence {:.3f})\n", e.decision, e.confidence);
  if (!e.runner_up.empty()) {
    out +=
        fmt::format("runner-up  {} (margin {:.3f} in {})\n", e.runner_up, e.margin, e.margin_unit);
  } else {
    out += "runner-up  none: no other rule matches\n";
  }
  out +=
      fmt::format("goes to    {}{}, reasoning {}{}{}\n", e.upstream_name,
                  e.adapter.empty() ? "" : fmt::format(" (adapter of {})", e.model), e.reasoning,
                  e.effort.empty() ? "" : fmt::format(" ({})", e.effort),
                  e.prompt_mode.empty() ? "" : fmt::format(", system prompt: {}", e.prompt_mode));
  if (!e.policy.empty()) out += fmt::format("replica by {}\n", e.policy);
  if (!e.category.empty()) {
    out += fmt::format("category   {} {:.3f} by {} ({} of {} tokens, {} pass{}, {:.1f} ms)\n",
                       e.category, e.category_confidence, e.rung, e.tokens_seen, e.tokens_total,
                       e.encoder_passes, e.encoder_passes == 1 ? "" : "es", e.encoder_ms);
  }
  out += "signals\n";
  for (const auto& leaf : e.leaves) {
    out += fmt::format("  {:<10} {:<20} {:<14}", leaf.type, leaf.name, state_word(leaf.state));
    if (leaf.state == exchange::SignalState::kMatch) out += fmt::format(" {:.3f}", leaf.confidence);
    if (leaf.skipped.empty()) {
      if (leaf.threshold && *leaf.threshold > 0)
        out += fmt::format(" (threshold {:.3f})", *leaf.threshold);
    } else {
      out += fmt::format(" skipped: {}", leaf.skipped);
    }
    out += '\n';
  }
  out += "decisions\n";
  for (const auto& decision : e.decisions) {
    out += fmt::format("  {:<26} priority {:<4} {}\n", decision.name, decision.priority,
                       decision.match);
  }
  return out;
}

}  // namespace signalbox::pipeline
