#include "pipeline/api_verdicts.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <optional>

#include "encoder/text_head.h"
#include "pipeline/api_call.h"

namespace signalbox::pipeline {
namespace {

using encoder::Task;

std::string bracketed(pii::Type type) { return fmt::format("[{}]", pii::type_name(type)); }

void write_entity(json::Writer& out, std::string_view text, const pii::Entity& entity,
                  pii::CodePoints& points, const PiiOptions& options) {
  const std::string masked = bracketed(entity.type);
  out.begin_object().key("type").string(pii::type_name(entity.type));
  out.key("value").string(options.reveal ? text.substr(entity.begin, entity.end - entity.begin)
                                         : std::string_view(masked));
  out.key("confidence").number(static_cast<double>(entity.confidence));
  const auto begin = static_cast<std::int64_t>(points.before(entity.begin));
  const auto end = static_cast<std::int64_t>(points.before(entity.end));
  if (options.positions) out.key("start_position").integer(begin).key("end_position").integer(end);
  if (options.mask) out.key("masked_value").string(masked);
  out.end_object();
}

// A detector's score, and whether it is a finding.
struct Finding {
  std::string_view name;
  double score = 0;
  bool found = false;
};

std::optional<Finding> finding(const encoder::Encoder& encoder, const encoder::Analysis& analysis,
                               Task task, double threshold) {
  const encoder::TextHead* head = encoder.head(task);
  const auto probabilities = analysis.of(task);
  if (head == nullptr || probabilities.empty()) return std::nullopt;
  const auto score = static_cast<double>(head->score(probabilities));
  const double from = threshold < 0 ? head->meta().threshold : threshold;
  return Finding{encoder::task_name(task), score, score >= from};
}

}  // namespace

Result<PiiOptions> read_pii_options(json::Value root) {
  PiiOptions options;
  SBX_TRY(options.threshold, share_option(root, "confidence_threshold", 0));
  SBX_TRY(options.positions, flag_option(root, "return_positions", true));
  SBX_TRY(options.mask, flag_option(root, "mask_entities", false));
  SBX_TRY(options.reveal, flag_option(root, "reveal_entity_text", false));
  SBX_TRY(const auto given, root.find("options"));
  if (!given) return options;
  SBX_TRY(const auto types, given->find("entity_types"));
  if (!types || types->is_null()) return options;
  for (const json::Value name : types->element_range()) {
    const auto type = pii::parse_type(name.string());
    if (!type || options.types.size() > pii::kTypes) {
      return fail(Code::kInvalidArgument,
                  "entity_types holds something that is none of the types of /info/classifier",
                  "entity_types");
    }
    options.types.push_back(*type);
  }
  return options;
}

void write_pii(json::Writer& out, std::string_view text, std::vector<pii::Entity> entities,
               const PiiOptions& options, std::string_view rung, double time_ms) {
  std::erase_if(entities, [&](const pii::Entity& entity) {
    const bool wanted = options.types.empty() ||
                        std::ranges::find(options.types, entity.type) != options.types.end();
    return !wanted || static_cast<double>(entity.confidence) < options.threshold;
  });
  out.begin_object().key("has_pii").boolean(!entities.empty());
  out.key("entities").begin_array();
  pii::CodePoints points(text);
  for (const pii::Entity& entity : entities) write_entity(out, text, entity, points, options);
  out.end_array();
  if (options.mask) out.key("masked_text").string(pii::mask(text, entities));
  out.key("security_recommendation").string(entities.empty() ? "allow" : "block");
  out.key("rung").string(rung);
  out.key("processing_time_ms").number(time_ms).end_object();
}

void write_intent(json::Writer& out, const encoder::Encoder& encoder,
                  const encoder::Analysis& analysis, bool probabilities, double time_ms) {
  const auto domain = analysis.of(Task::kDomain);
  const encoder::TextHead* head = encoder.head(Task::kDomain);
  const encoder::Top best = encoder::top(domain);
  const bool known = head != nullptr && best.index >= 0;
  out.begin_object()
      .key("category")
      .string(known ? std::string_view(head->labels()[static_cast<std::size_t>(best.index)]) : "");
  out.key("confidence").number(static_cast<double>(best.probability));
  if (probabilities && known) {
    out.key("probabilities").begin_object();
    for (std::size_t i = 0; i < domain.size(); ++i)
      out.key(head->labels()[i]).number(static_cast<double>(domain[i]));
    out.end_object();
  }
  out.key("processing_time_ms").number(time_ms).end_object();
}

void write_security(json::Writer& out, const encoder::Encoder& encoder,
                    const encoder::Analysis& analysis, double threshold, double time_ms) {
  Finding worst;
  std::vector<std::string_view> found;
  for (const Task task : {Task::kJailbreak, Task::kInjection}) {
    const auto one = finding(encoder, analysis, task, threshold);
    if (!one) continue;
    if (one->found) found.push_back(one->name);
    if (worst.name.empty() || one->score > worst.score) worst = *one;
  }
  const bool bad = !found.empty();
  out.begin_object().key("is_jailbreak").boolean(bad);
  out.key("risk_score").number(worst.score);
  out.key("detection_types").begin_array();
  for (const std::string_view name : found) out.string(name);
  out.end_array();
  out.key("confidence").number(bad ? worst.score : 1 - worst.score);
  out.key("recommendation").string(bad ? "block" : "allow");
  out.key("reasoning")
      .string(fmt::format("the {} classifier gives {:.2f}",
                          worst.name.empty() ? "missing" : worst.name, worst.score));
  out.key("patterns_detected").begin_array().end_array();
  out.key("processing_time_ms").number(time_ms).end_object();
}

}  // namespace signalbox::pipeline
