// Tasks of text heads: one label of several, or a detector's score.
#include <fmt/core.h>

#include "apps/signalbox/eval_tasks.h"
#include "apps/signalbox/judged_text.h"
#include "base/clock.h"
#include "json/splice.h"

namespace signalbox::cli {
namespace {

using Rows = std::vector<Line<JudgedText>>;

// Thresholds that the published configurations give their classifiers.
constexpr std::array kPublishedThresholds = {0.5, 0.6, 0.7, 0.8, 0.9};
constexpr double kPublishedDomainThreshold = 0.6;

std::string labels_json(const encoder::Figures& figures, const encoder::TextHead& head) {
  std::string out;
  for (std::size_t i = 0; i < head.labels().size(); ++i) {
    const auto& label = figures.labels[i];
    out += fmt::format(R"({}{}:{{"precision":{:.4f},"recall":{:.4f},"f1":{:.4f},"support":{}}})",
                       i == 0 ? "" : ",", json::quote(head.labels()[i]), label.precision,
                       label.recall, label.f1, label.support);
  }
  return out;
}

std::string routed_json(std::span<const encoder::Judged> judged) {
  std::string out;
  for (const double threshold : kPublishedThresholds) {
    const encoder::Routed routed = encoder::route(judged, threshold);
    out += fmt::format(R"({}{{"threshold":{},"coverage":{:.4f},"accuracy":{:.4f}}})",
                       out.empty() ? "" : ",", threshold, routed.coverage, routed.accuracy);
  }
  return out;
}

std::string misclassified_json(const Rows& rows, const encoder::TextHead& head, bool detector,
                               double threshold) {
  std::string out;
  for (const auto& [line, row] : rows) {
    const bool found = static_cast<double>(row.scored.score) >= threshold;
    const bool right =
        detector ? found == row.scored.positive : row.judged.label == row.judged.predicted;
    if (right) continue;
    out += fmt::format(
        R"({}{{"line":{},"label":{},"predicted":{},"confidence":{:.4f},"score":{:.4f}}})",
        out.empty() ? "" : ",", line,
        json::quote(head.labels()[static_cast<std::size_t>(row.judged.label)]),
        json::quote(head.labels()[static_cast<std::size_t>(row.judged.predicted)]),
        row.judged.confidence, row.scored.score);
  }
  return fmt::format(R"(,"misclassified":[{}])", out);
}

std::string label_figures(const Rows& rows, const encoder::TextHead& head, double threshold) {
  std::vector<encoder::Judged> judged;
  for (const auto& row : rows) judged.push_back(row.content.judged);
  const auto figures = encoder::evaluate(judged, head.labels().size());
  const encoder::Routed routed = encoder::route(judged, threshold);
  return fmt::format(
      R"("accuracy":{:.4f},"macro_f1":{:.4f},"ece":{:.4f},"mean_confidence":{:.4f},"threshold":{},)"
      R"("coverage_at_threshold":{:.4f},"accuracy_at_threshold":{:.4f},"routed":[{}],"labels":{{{}}})",
      figures.accuracy, figures.macro_f1, figures.ece, figures.mean_confidence, threshold,
      routed.coverage, routed.accuracy, routed_json(judged), labels_json(figures, head));
}

std::string detector_figures(const Rows& rows, double threshold) {
  std::vector<encoder::Scored> scored;
  for (const auto& row : rows) scored.push_back(row.content.scored);
  const auto figures = encoder::evaluate_detector(scored, threshold);
  return fmt::format(
      R"("positives":{},"accuracy":{:.4f},"macro_f1":{:.4f},"ece":{:.4f},"auroc":{:.4f},"tpr_at_1fpr":{:.4f},)"
      R"("tpr_at_5fpr":{:.4f},"threshold":{:.4f},"tpr_at_threshold":{:.4f},"fpr_at_threshold":{:.4f})",
      figures.positives, figures.accuracy, figures.macro_f1, figures.ece, figures.auroc,
      figures.tpr_at_1fpr, figures.tpr_at_5fpr, threshold, figures.tpr_at_threshold,
      figures.fpr_at_threshold);
}

}  // namespace

int eval_text(const EvalInput& input, encoder::Task task) {
  const encoder::TextHead* head = input.encoder.head(task);
  if (head == nullptr) {
    return cannot_eval(
        fmt::format("no {} classifier in {}", encoder::task_name(task), input.models_directory));
  }
  const TimePoint start = system_clock().now();
  const auto file = judge_texts(input.in, input.encoder, task);
  if (file.rows.empty()) return cannot_eval("the file holds no usable line");
  const bool detector = !head->meta().positive.empty();
  const double threshold =
      input.threshold.value_or(detector ? head->meta().threshold : kPublishedDomainThreshold);
  fmt::print(
      R"({{"task":"{}","n":{},"version":{},{},"errors":[{}]{},"time_ms":{:.0f}}})"
      "\n",
      encoder::task_name(task), file.rows.size(), json::quote(head->version()),
      detector ? detector_figures(file.rows, threshold)
               : label_figures(file.rows, *head, threshold),
      errors_json(file.errors),
      input.list_misclassified ? misclassified_json(file.rows, *head, detector, threshold) : "",
      milliseconds(system_clock().now() - start));
  return file.errors.empty() ? kMeasured : kSomeLinesUnusable;
}

}  // namespace signalbox::cli
