#include "pipeline/explain.h"

#include <fmt/core.h>

#include <utility>

#include "balancer/balancer.h"
#include "discovery/endpoint_table.h"
#include "json/splice.h"
#include "pipeline/naming.h"
#include "pipeline/response_headers.h"
#include "pipeline/understand.h"
#include "request/read_request.h"

namespace signalbox::pipeline {
namespace {

std::string_view prompt_mode(const config::Plugins& plugins) {
  if (!plugins.system_prompt || !plugins.system_prompt->enabled) return {};
  switch (plugins.system_prompt->mode) {
    case config::PromptMode::kReplace:
      return "replace";
    case config::PromptMode::kInsert:
      return "insert";
    case config::PromptMode::kAppend:
      return "append";
  }
  return {};
}

std::vector<LeafReport> leaf_reports(const Routing& routing, const decision::State& state) {
  std::vector<LeafReport> reports;
  const auto leaves = routing.program.leaves();
  for (std::uint32_t i = 0; i < leaves.size(); ++i) {
    const auto& value = state.values()[i];
    LeafReport report;
    report.type = leaves[i].type;
    report.name = leaves[i].name;
    report.state = value.state;
    report.tier = cost_tier(leaves[i].kind);
    report.threshold = routing.evaluator->threshold(i);
    if (value.state == exchange::SignalState::kNotEvaluated) {
      report.skipped = "the winner and its confidence are certain without it";
    } else {
      report.confidence = static_cast<double>(value.confidence);
    }
    reports.push_back(std::move(report));
  }
  return reports;
}

std::vector<DecisionReport> decision_reports(const Routing& routing, decision::State& state) {
  std::vector<DecisionReport> reports;
  const auto bounds = routing.program.bounds(state);
  for (const auto& entry : routing.program.entries()) {
    const auto& known = bounds[entry.root];
    DecisionReport report;
    report.name = entry.decision->name;
    report.priority = entry.decision->priority;
    report.tier = entry.decision->tier;
    report.match = known.match == decision::Match::kYes  ? "yes"
                   : known.match == decision::Match::kNo ? "no"
                                                         : "undetermined";
    report.confidence_low = known.low;
    report.confidence_high = known.high;
    reports.push_back(std::move(report));
  }
  return reports;
}

void add_outcome(const exchange::Exchange& exchange, const config::Config& config,
                 Explanation& out) {
  const auto& decision = exchange.decision;
  out.decision = decision.decision != nullptr ? decision.decision->name : "default";
  out.confidence = decision.confidence;
  if (decision.runner_up != nullptr) out.runner_up = decision.runner_up->name;
  out.margin = decision.margin;
  if (decision.decision != nullptr) out.prompt_mode = prompt_mode(decision.decision->plugins);
  out.category = std::string(exchange.signals.category);
  out.category_confidence = static_cast<double>(exchange.signals.category_confidence);
  out.rung = std::string(rung_name(exchange.signals.rung));
  out.language = std::string(exchange.signals.language);
  out.context_tokens = exchange.request.context_tokens;
  out.tokens_seen = exchange.signals.tokens_seen;
  out.tokens_total = exchange.signals.tokens_total;
  out.encoder_passes = exchange.signals.encoder_passes;
  out.encoder_ms = milliseconds(exchange.signals.encoder_time);
  const auto candidates = candidates_of(config, decision);
  if (candidates.empty()) return;
  const auto& first = candidates.front();
  out.model = first.model->name;
  out.adapter = first.adapter;
  out.upstream_name = first.upstream_name;
  out.policy =
      std::string(balancer::policy_name(discovery::policy_of(first.model, config.own.balancer)));
  out.reasoning = !first.use_reasoning ? "default" : *first.use_reasoning ? "on" : "off";
  if (first.use_reasoning && *first.use_reasoning) out.effort = first.reasoning_effort;
}

}  // namespace

net::Task<Result<Explanation>> explain(exchange::ClientRequest client, exchange::Identity identity,
                                       const Snapshot* snapshot, net::Loop* loop,
                                       ExplainOptions options) {
  const config::Config& config = *snapshot->config;
  exchange::Exchange exchange;
  exchange.client = std::move(client);
  exchange.identity = std::move(identity);
  SBX_CO_TRY(exchange.request, request::read_request(exchange.client));
  Explanation explanation;
  explanation.requested = exchange.request.model;
  const Name name = resolve(config, exchange.request.model);
  if (name.kind != NameKind::kAutomatic) {
    co_return fail(
        Code::kModelNotFound,
        fmt::format("'{}' is not an automatic model name, so there is no decision to explain",
                    exchange.request.model),
        "model");
  }
  const Routing& routing = snapshot->routing(name.recipe);
  decision::State state(routing.program);
  const Understanding understanding{
      .routing = routing,
      .loop = *loop,
      .encoder_pool = snapshot->encoder_pool,
      .encoder_deadline = options.encoder_deadline.count() > 0
                              ? options.encoder_deadline
                              : Duration(config.own.encoder.deadline),
      .exhaustive = options.exhaustive,
      .want_category = config.own.http.response_headers != config::HeaderSet::kV03};
  const TimePoint begun = loop->clock().now();
  co_await understand(&exchange, understanding, &state);
  explanation.total_ms = milliseconds(loop->clock().now() - begun);
  explanation.margin_unit = routing.program.order() == decision::Order::kPriority     ? "priority"
                            : routing.program.order() == decision::Order::kConfidence ? "confidence"
                                                                                      : "tier";
  add_outcome(exchange, config, explanation);
  explanation.leaves = leaf_reports(routing, state);
  explanation.decisions = decision_reports(routing, state);
  co_return explanation;
}

std::string body_for_text(std::string_view model, std::string_view text) {
  return fmt::format(R"({{"model":{},"messages":[{{"role":"user","content":{}}}]}})",
                     json::quote(model), json::quote(text));
}

}  // namespace signalbox::pipeline
