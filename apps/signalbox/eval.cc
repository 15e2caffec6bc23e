// signalbox eval --task domain --file X.jsonl: measures a classifier on lines {"text", "label"}.
#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <fstream>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "apps/signalbox/commands.h"
#include "apps/signalbox/flags.h"
#include "apps/signalbox/pii.h"
#include "base/clock.h"
#include "base/cpu.h"
#include "encoder/encoder.h"
#include "encoder/evaluation.h"
#include "encoder/locate.h"
#include "json/document.h"
#include "json/splice.h"

namespace signalbox::cli {
namespace {

constexpr int kDone = 0;
constexpr int kSomeLinesUnusable = 1;
constexpr int kCannot = 2;

constexpr std::array kFlags = {
    FlagSpec{"task", "NAME", "what to measure: domain or pii"},
    FlagSpec{"file", "FILE", "JSON lines with \"text\" and \"label\""},
    FlagSpec{"misclassified", "", "also list the rows that came out wrong, by line number"},
    FlagSpec{"encoder-dir", "DIR",
             "the base model (default: SIGNALBOX_ENCODER_DIR, else the cache)"},
    FlagSpec{"models-dir", "DIR",
             "our trained heads (default: SIGNALBOX_MODELS_DIR, else models/)"},
    FlagSpec{"help", "", "print this"},
};

struct Row {
  std::size_t line = 0;
  std::string text;
  encoder::Judged judged;
};

struct LineError {
  std::size_t line = 0;
  std::string message;
};

struct Input {
  std::vector<Row> rows;
  std::vector<LineError> errors;
};

int cannot(const std::string& message) {
  fmt::print(stderr, "signalbox eval: {}\n", message);
  return kCannot;
}

Result<Row> read_row(const std::string& line) {
  SBX_TRY(const auto document, json::Document::parse(line));
  SBX_TRY(const auto text, document.root().find("text"));
  SBX_TRY(const auto label, document.root().find("label"));
  if (!text || !text->is_string()) return fail(Code::kInvalidArgument, "no \"text\"");
  if (!label || !label->is_string()) return fail(Code::kInvalidArgument, "no \"label\"");
  const auto labels = encoder::Encoder::domain_labels();
  const auto known = std::ranges::find(labels, label->string());
  if (known == labels.end()) {
    return fail(Code::kInvalidArgument,
                fmt::format("unknown label {}", json::quote(label->string())));
  }
  Row row;
  row.text = text->string();
  row.judged.label = static_cast<int>(known - labels.begin());
  return row;
}

Input read_rows(std::istream& in) {
  Input input;
  std::size_t number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    auto row = read_row(line);
    if (row) {
      row->line = number;
      input.rows.push_back(std::move(*row));
    } else {
      input.errors.push_back({number, row.error().message});
    }
  }
  return input;
}

// Rows in parallel: they are independent, and each thread takes the next one.
void classify_all(const encoder::Encoder& encoder, std::vector<Row>& rows) {
  std::atomic<std::size_t> next = 0;
  const auto work = [&] {
    encoder::Workspace workspace;
    for (std::size_t i = next++; i < rows.size(); i = next++) {
      const auto analysis = encoder.analyze(rows[i].text, encoder::Demand::kDomain, workspace);
      const auto best = encoder::top(analysis.of(encoder::Task::kDomain));
      rows[i].judged.predicted = best.index;
      rows[i].judged.confidence = best.probability;
    }
  };
  std::vector<std::jthread> threads;
  for (int i = 0; i < cpu_budget().threads(); ++i) threads.emplace_back(work);
}

std::string labels_json(const encoder::Figures& figures) {
  const auto labels = encoder::Encoder::domain_labels();
  std::string out;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const auto& label = figures.labels[i];
    out += fmt::format(R"({}{}:{{"precision":{:.4f},"recall":{:.4f},"f1":{:.4f},"support":{}}})",
                       i == 0 ? "" : ",", json::quote(labels[i]), label.precision, label.recall,
                       label.f1, label.support);
  }
  return out;
}

std::string errors_json(const std::vector<LineError>& errors) {
  std::string out;
  for (const LineError& error : errors) {
    out += fmt::format(R"({}{{"line":{},"error":{}}})", out.empty() ? "" : ",", error.line,
                       json::quote(error.message));
  }
  return out;
}

std::string misclassified_json(const std::vector<Row>& rows) {
  const auto labels = encoder::Encoder::domain_labels();
  std::string out;
  for (const Row& row : rows) {
    if (row.judged.label == row.judged.predicted) continue;
    out += fmt::format(
        R"({}{{"line":{},"label":{},"predicted":{},"confidence":{:.4f}}})", out.empty() ? "" : ",",
        row.line, json::quote(labels[static_cast<std::size_t>(row.judged.label)]),
        json::quote(labels[static_cast<std::size_t>(row.judged.predicted)]), row.judged.confidence);
  }
  return out;
}

void print(const Input& input, bool list_misclassified, Duration time) {
  std::vector<encoder::Judged> judged;
  for (const Row& row : input.rows) judged.push_back(row.judged);
  const auto figures = encoder::evaluate(judged, encoder::Encoder::domain_labels().size());
  fmt::print(
      R"({{"task":"domain","n":{},"accuracy":{:.4f},"macro_f1":{:.4f},"ece":{:.4f},"mean_confidence":{:.4f},"labels":{{{}}},)"
      R"("errors":[{}]{},"time_ms":{:.0f}}})"
      "\n",
      figures.n, figures.accuracy, figures.macro_f1, figures.ece, figures.mean_confidence,
      labels_json(figures), errors_json(input.errors),
      list_misclassified ? fmt::format(R"(,"misclassified":[{}])", misclassified_json(input.rows))
                         : "",
      milliseconds(time));
}

}  // namespace

int eval_command(Arguments arguments) {
  const auto flags = Flags::parse(arguments, kFlags, 0);
  if (!flags) return cannot(flags.error().message);
  if (flags->has("help")) {
    fmt::print(
        "{}",
        usage("eval --task domain --file FILE",
              "Measures a classifier on a labelled file and prints one JSON object.\n"
              "Exit status: 0 measured, 1 measured but some lines were unusable, 2 not measured.",
              kFlags));
    return kDone;
  }
  const bool pii = flags->value("task") == "pii";
  if (!pii && flags->value("task") != "domain")
    return cannot("--task must be given; the tasks are: domain, pii");
  const auto file = flags->value("file");
  if (!file) return cannot("--file must be given");
  std::ifstream in(*file, std::ios::binary);
  if (!in) return cannot("cannot open " + *file);
  Input input = pii ? Input{} : read_rows(in);
  if (!pii && input.rows.empty()) return cannot(*file + " holds no usable line");
  const auto directories = encoder::locate(flags->value("encoder-dir").value_or(""),
                                           flags->value("models-dir").value_or(""));
  const auto encoder = encoder::Encoder::load(directories.base, directories.models);
  if (!encoder) return cannot(encoder.error().message + "; `./dev build` fetches the base model");
  if (pii) return eval_pii(**encoder, in, flags->has("misclassified"));
  if (!(*encoder)->has_domain()) return cannot("no domain classifier in " + directories.models);
  const TimePoint start = system_clock().now();
  classify_all(**encoder, input.rows);
  print(input, flags->has("misclassified"), system_clock().now() - start);
  return input.errors.empty() ? kDone : kSomeLinesUnusable;
}

}  // namespace signalbox::cli
