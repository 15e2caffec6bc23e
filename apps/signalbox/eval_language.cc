// The language detector, which runs beside the encoder.
#include <fmt/core.h>

#include <algorithm>
#include <map>

#include "apps/signalbox/eval_tasks.h"
#include "apps/signalbox/labelled_file.h"
#include "base/clock.h"
#include "encoder/evaluation.h"
#include "json/splice.h"
#include "signals/language_model.h"

namespace signalbox::cli {
namespace {

struct Row {
  std::string text;
  std::string label;
};

// Numbers for codes, in the order of their first appearance.
class Codes {
 public:
  int number(const std::string& code) {
    const auto [at, fresh] = numbers_.try_emplace(code, static_cast<int>(names_.size()));
    if (fresh) names_.push_back(code);
    return at->second;
  }
  const std::vector<std::string>& names() const { return names_; }

 private:
  std::map<std::string, int> numbers_;
  std::vector<std::string> names_;
};

}  // namespace

int eval_language(const EvalInput& input) {
  const auto model = signals::LanguageModel::load(input.models_directory);
  if (!model) return cannot_eval(model.error().message);
  const auto file = read_labelled<Row>(input.in, [](json::Value object) -> Result<Row> {
    SBX_TRY(auto text, need_string(object, "text"));
    SBX_TRY(auto label, need_string(object, "label"));
    return Row{std::move(text), std::move(label)};
  });
  if (file.rows.empty()) return cannot_eval("the file holds no usable line");
  const TimePoint start = system_clock().now();
  Codes codes;
  std::vector<encoder::Judged> judged;
  std::string wrong;
  for (const auto& [line, row] : file.rows) {
    const auto guess = model->detect(row.text);
    judged.push_back({.label = codes.number(row.label),
                      .predicted = codes.number(std::string(guess.code)),
                      .confidence = guess.confidence});
    if (guess.code == row.label) continue;
    wrong += fmt::format(R"({}{{"line":{},"label":{},"predicted":{},"confidence":{:.4f}}})",
                         wrong.empty() ? "" : ",", line, json::quote(row.label),
                         json::quote(guess.code), guess.confidence);
  }
  const auto figures = encoder::evaluate(judged, codes.names().size());
  fmt::print(
      R"({{"task":"language","n":{},"accuracy":{:.4f},"macro_f1":{:.4f},"ece":{:.4f},"mean_confidence":{:.4f},)"
      R"("errors":[{}]{},"time_ms":{:.0f}}})"
      "\n",
      figures.n, figures.accuracy, figures.macro_f1, figures.ece, figures.mean_confidence,
      errors_json(file.errors),
      input.list_misclassified ? fmt::format(R"(,"misclassified":[{}])", wrong) : "",
      milliseconds(system_clock().now() - start));
  return file.errors.empty() ? kMeasured : kSomeLinesUnusable;
}

}  // namespace signalbox::cli
