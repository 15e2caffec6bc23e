// Why would this request go where it goes: every leaf that was looked at, with value, threshold and cost; the winner, the
// runner-up and the margin; what was skipped and why. The same path as a real request up to the choice of a model.
#pragma once

#include <string>
#include <vector>

#include "exchange/exchange.h"
#include "net/loop.h"
#include "net/task.h"
#include "pipeline/snapshot.h"

namespace signalbox::pipeline {

struct ExplainOptions {
  bool exhaustive = false;      // evaluate every leaf, also those that cannot matter
  Duration encoder_deadline{};  // 0: the configuration's
};

struct LeafReport {
  std::string type;
  std::string name;
  exchange::SignalState state = exchange::SignalState::kNotEvaluated;
  double confidence = 0;
  std::optional<double> threshold;
  exchange::CostTier tier = exchange::CostTier::kHeaders;
  std::string skipped;  // why it was not evaluated; empty otherwise
};

struct DecisionReport {
  std::string name;
  int priority = 0;
  int tier = 0;
  std::string match;  // yes | no | undetermined
  double confidence_low = 0;
  double confidence_high = 0;
};

struct Explanation {
  std::string requested;
  std::string decision;  // "default" when none matched
  double confidence = 0;
  std::string runner_up;  // empty: none known
  double margin = 0;
  std::string margin_unit;  // priority | confidence | tier
  std::string category;     // empty: not evaluated
  double category_confidence = 0;
  std::string rung;
  std::string language;
  std::int64_t context_tokens = 0;
  std::uint32_t tokens_seen = 0;
  std::uint32_t tokens_total = 0;
  std::uint32_t encoder_passes = 0;
  double encoder_ms = 0;
  double total_ms = 0;
  std::string model;  // where it goes
  std::string adapter;
  std::string upstream_name;
  std::string policy;     // by which its replica would be chosen
  std::string reasoning;  // on | off | default
  std::string effort;
  std::string prompt_mode;  // replace | insert | append; empty: none
  std::vector<LeafReport> leaves;
  std::vector<DecisionReport> decisions;
};

// `client` holds the body to judge. The encoder is asked through the snapshot's pool.
// Errors: those of reading the request; kModelNotFound when the model name asks for no decision.
net::Task<Result<Explanation>> explain(exchange::ClientRequest client, exchange::Identity identity,
                                       const Snapshot* snapshot, net::Loop* loop,
                                       ExplainOptions options);

std::string to_json(const Explanation& explanation);
// For people: some lines, the winner first.
std::string to_text(const Explanation& explanation);

// The chat completion body that asks for a decision on one user text.
std::string body_for_text(std::string_view model, std::string_view text);

}  // namespace signalbox::pipeline
