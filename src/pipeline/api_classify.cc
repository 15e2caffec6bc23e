#include "pipeline/api_classify.h"

#include <fmt/core.h>

#include <array>
#include <utility>

#include "base/limits.h"
#include "encoder/entity_reader.h"
#include "encoder/text_head.h"
#include "encoder/token_head.h"
#include "pipeline/api_verdicts.h"
#include "pipeline/explain.h"

namespace signalbox::pipeline {
namespace {

using encoder::Demand;
using encoder::Task;

constexpr Demand kSecurity =
    encoder::demand_of(Task::kJailbreak) | encoder::demand_of(Task::kInjection);

Result<const encoder::Encoder*> need_encoder(const ApiCall& call) {
  const encoder::Encoder* encoder = encoder_of(call);
  if (encoder == nullptr) return fail(Code::kUnavailable, "no encoder is loaded");
  return encoder;
}

Result<const encoder::TextHead*> need_head(const ApiCall& call, Task task) {
  SBX_TRY(const encoder::Encoder* encoder, need_encoder(call));
  const encoder::TextHead* head = encoder->head(task);
  if (head == nullptr) {
    return fail(Code::kUnavailable,
                fmt::format("no {} classifier is loaded", encoder::task_name(task)));
  }
  return head;
}

Result<void> need_security(const ApiCall& call) {
  SBX_TRY(const encoder::Encoder* encoder, need_encoder(call));
  if (encoder->has(Task::kJailbreak) || encoder->has(Task::kInjection)) return {};
  return fail(Code::kUnavailable, "no jailbreak classifier is loaded");
}

// Rules alone where the encoder cannot help.
std::string_view pii_rung(const ApiCall& call) {
  const encoder::Encoder* encoder = encoder_of(call);
  return encoder != nullptr && encoder->finds_names() ? "encoder" : "rules";
}

// One label of a text head: "label", "confidence", and `name` holding whether, or which.
net::Task<Result<std::string>> classify_label(ApiCall call, Task task, std::string_view name) {
  const TimePoint start = call.loop.clock().now();
  SBX_CO_TRY(const auto document, json::Document::parse(call.client.body));
  SBX_CO_TRY(auto text, text_member(document.root(), "text"));
  SBX_CO_TRY(const encoder::TextHead* head, need_head(call, task));
  SBX_CO_TRY(const auto analysis,
             co_await analyze_text(call, std::move(text), encoder::demand_of(task)));
  const encoder::Top best = encoder::top(analysis.of(task));
  if (best.index < 0) co_return fail(Code::kInternal, "the classifier gave no answer");
  const std::string& label = head->labels()[static_cast<std::size_t>(best.index)];
  std::string body;
  json::Writer out(body);
  out.begin_object().key(name);
  if (task == Task::kFactCheck) {
    out.boolean(static_cast<double>(head->score(analysis.of(task))) >= head->meta().threshold);
  } else {
    out.string(label);
  }
  out.key("label").string(label).key("confidence").number(static_cast<double>(best.probability));
  out.key("processing_time_ms").number(elapsed_ms(call, start)).end_object();
  co_return body;
}

// The routing half of an intent answer, from an explanation of the same body.
void write_routing(json::Writer& out, const Explanation& explanation) {
  out.key("recommended_model")
      .string(explanation.adapter.empty() ? explanation.model : explanation.adapter);
  out.key("routing_decision").string(explanation.decision);
  out.key("matched_signals").begin_object();
  std::string_view type;
  // Leaves of a type may be apart in the list, so each type is gathered at its first match.
  for (std::size_t i = 0; i < explanation.leaves.size(); ++i) {
    const LeafReport& first = explanation.leaves[i];
    const auto matches = [&](const LeafReport& leaf) {
      return leaf.type == first.type && leaf.state == exchange::SignalState::kMatch;
    };
    const bool seen =
        std::any_of(explanation.leaves.begin(),
                    explanation.leaves.begin() + static_cast<std::ptrdiff_t>(i), matches);
    if (seen || !matches(first)) continue;
    type = first.type;
    out.key(type).begin_array();
    for (const LeafReport& leaf : explanation.leaves) {
      if (matches(leaf)) out.string(leaf.name);
    }
    out.end_array();
  }
  out.end_object();
  out.key("decision_result").begin_object();
  out.key("decision_name").string(explanation.decision);
  out.key("confidence").number(explanation.confidence);
  out.end_object();
}

struct BatchTask {
  std::string_view name;
  Demand demand;
};
constexpr std::array kBatchTasks{BatchTask{"intent", Demand::kDomain},
                                 BatchTask{"pii", Demand::kPii}, BatchTask{"security", kSecurity},
                                 BatchTask{"all", Demand::kDomain | Demand::kPii | kSecurity}};

Result<BatchTask> batch_task(json::Value root) {
  SBX_TRY(const auto value, root.find("task_type"));
  if (!value) return kBatchTasks.front();
  for (const BatchTask& task : kBatchTasks) {
    if (value->equals(task.name)) return task;
  }
  return fail(Code::kInvalidArgument, "task_type must be intent, pii, security or all",
              "task_type");
}

}  // namespace

net::Task<Result<std::string>> classify_intent(ApiCall call) {
  const TimePoint start = call.loop.clock().now();
  SBX_CO_TRY(const auto document, json::Document::parse(call.client.body));
  SBX_CO_TRY(const bool probabilities, flag_option(document.root(), "return_probabilities", false));
  ExplainOptions options;
  SBX_CO_TRY(options.exhaustive, flag_option(document.root(), "evaluate_all_signals", false));
  exchange::ClientRequest client = call.client;
  SBX_CO_TRY(client.body, chat_body(call.client.body, *call.snapshot.config));
  client.path = "/v1/chat/completions";
  SBX_CO_TRY(const auto text, judged_text(client));
  SBX_CO_TRY(const auto explanation, co_await explain(std::move(client), call.identity,
                                                      &call.snapshot, &call.loop, options));
  std::string body;
  json::Writer out(body);
  out.begin_object().key("classification");
  SBX_CO_TRY(const encoder::Encoder* encoder, need_encoder(call));
  SBX_CO_TRY(const auto analysis, co_await analyze_text(call, text, Demand::kDomain));
  write_intent(out, *encoder, analysis, false, elapsed_ms(call, start));
  const encoder::TextHead* head = encoder->head(Task::kDomain);
  if (probabilities && head != nullptr) {
    out.key("probabilities").begin_object();
    const auto domain = analysis.of(Task::kDomain);
    for (std::size_t i = 0; i < domain.size(); ++i)
      out.key(head->labels()[i]).number(static_cast<double>(domain[i]));
    out.end_object();
  }
  write_routing(out, explanation);
  out.end_object();
  co_return body;
}

net::Task<Result<std::string>> classify_pii(ApiCall call) {
  const TimePoint start = call.loop.clock().now();
  SBX_CO_TRY(const auto document, json::Document::parse(call.client.body));
  SBX_CO_TRY(const auto text, text_member(document.root(), "text"));
  SBX_CO_TRY(const auto options, read_pii_options(document.root()));
  std::vector<pii::Entity> entities;
  std::string_view rung = pii_rung(call);
  if (rung == "encoder") {
    auto analysis = co_await analyze_text(call, text, Demand::kPii);
    if (analysis) entities = std::move(analysis->entities);
    if (!analysis) rung = "rules";
  }
  // No model to be had: what rules prove is still worth knowing.
  if (rung == "rules") entities = encoder::identifiers_of(text);
  std::string body;
  json::Writer out(body);
  write_pii(out, text, std::move(entities), options, rung, elapsed_ms(call, start));
  co_return body;
}

net::Task<Result<std::string>> classify_security(ApiCall call) {
  const TimePoint start = call.loop.clock().now();
  SBX_CO_TRY(const auto document, json::Document::parse(call.client.body));
  SBX_CO_TRY(auto text, text_member(document.root(), "text"));
  // Sensitivity is a threshold in this API's terms: 0.9 asks for 0.1 of risk only.
  SBX_CO_TRY(const double sensitivity, share_option(document.root(), "sensitivity", -1));
  SBX_CO_CHECK_OK(need_security(call));
  SBX_CO_TRY(const auto analysis, co_await analyze_text(call, std::move(text), kSecurity));
  std::string body;
  json::Writer out(body);
  write_security(out, *encoder_of(call), analysis, sensitivity < 0 ? -1 : 1 - sensitivity,
                 elapsed_ms(call, start));
  co_return body;
}

net::Task<Result<std::string>> classify_fact_check(ApiCall call) {
  return classify_label(call, Task::kFactCheck, "needs_fact_check");
}

net::Task<Result<std::string>> classify_user_feedback(ApiCall call) {
  return classify_label(call, Task::kFeedback, "feedback_type");
}

net::Task<Result<std::string>> classify_combined(ApiCall call) {
  const TimePoint start = call.loop.clock().now();
  SBX_CO_TRY(const auto document, json::Document::parse(call.client.body));
  SBX_CO_TRY(const auto text, text_member(document.root(), "text"));
  SBX_CO_TRY(const auto options, read_pii_options(document.root()));
  SBX_CO_TRY(const encoder::Encoder* encoder, need_encoder(call));
  SBX_CO_TRY(auto analysis,
             co_await analyze_text(call, text, Demand::kDomain | Demand::kPii | kSecurity));
  const double time = elapsed_ms(call, start);
  std::string body;
  json::Writer out(body);
  out.begin_object().key("intent");
  write_intent(out, *encoder, analysis, false, time);
  out.key("pii");
  write_pii(out, text, std::move(analysis.entities), options, pii_rung(call), time);
  if (need_security(call)) {
    out.key("security");
    write_security(out, *encoder, analysis, -1, time);
  }
  out.key("passes").number(analysis.passes_used);
  out.key("processing_time_ms").number(time).end_object();
  co_return body;
}

namespace {

// One array of the batch answer: `write` puts the object of text i.
template <class Write>
void write_results(json::Writer& out, std::string_view name, std::size_t count,
                   const Write& write) {
  out.key(name).begin_array();
  for (std::size_t i = 0; i < count; ++i) write(i);
  out.end_array();
}

}  // namespace

net::Task<Result<std::string>> classify_batch(ApiCall call) {
  const TimePoint start = call.loop.clock().now();
  SBX_CO_TRY(const auto document, json::Document::parse(call.client.body));
  SBX_CO_TRY(auto texts, texts_member(document.root(), "texts", limits::kApiTextsMax));
  SBX_CO_TRY(const BatchTask task, batch_task(document.root()));
  SBX_CO_TRY(const auto options, read_pii_options(document.root()));
  SBX_CO_TRY(const bool probabilities, flag_option(document.root(), "return_probabilities", false));
  SBX_CO_TRY(const encoder::Encoder* encoder, need_encoder(call));
  if (task.name == "security") SBX_CO_CHECK_OK(need_security(call));
  SBX_CO_TRY(const auto analyses, co_await analyze_texts(call, texts, task.demand));
  const double time = elapsed_ms(call, start), each = time / static_cast<double>(texts.size());
  const auto asked = [&](Demand part) { return encoder::demands(task.demand, part); };
  std::string body;
  json::Writer out(body);
  out.begin_object();
  if (asked(Demand::kDomain)) {
    write_results(
        out, task.name == "intent" ? "results" : "intent_results", texts.size(),
        [&](std::size_t i) { write_intent(out, *encoder, analyses[i], probabilities, each); });
  }
  if (asked(Demand::kPii)) {
    write_results(out, "pii_results", texts.size(), [&](std::size_t i) {
      write_pii(out, texts[i], analyses[i].entities, options, pii_rung(call), each);
    });
  }
  if (asked(kSecurity) && need_security(call)) {
    write_results(out, "security_results", texts.size(),
                  [&](std::size_t i) { write_security(out, *encoder, analyses[i], -1, each); });
  }
  out.key("total_count").integer(static_cast<std::int64_t>(texts.size()));
  out.key("processing_time_ms").number(time);
  out.key("statistics").begin_object().key("avg_processing_time_ms").number(each).end_object();
  out.end_object();
  co_return body;
}

}  // namespace signalbox::pipeline
