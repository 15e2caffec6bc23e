#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <vector>

#include "apps/signalbox/commands.h"
#include "apps/signalbox/flags.h"
#include "encoder/encoder.h"
#include "encoder/locate.h"
#include "json/document.h"
#include "json/writer.h"

namespace signalbox::cli {
namespace {

constexpr std::array kFlags = {
    FlagSpec{"task", "NAME", "domain"},
    FlagSpec{"file", "FILE", "JSON lines {\"text\": ..., \"label\": ...}"},
    FlagSpec{"encoder-dir", "DIR", "sentence encoder in hub format"},
    FlagSpec{"models-dir", "DIR", "trained heads"},
    FlagSpec{"help", "", "this text"},
};

constexpr std::size_t kErrorsListedMax = 1000;
constexpr int kCalibrationBins = 15;

struct Row {
  std::size_t line = 0;
  int truth = 0;
  int said = 0;
  float confidence = 0;
};

struct Counts {
  std::size_t truth = 0;
  std::size_t said = 0;
  std::size_t both = 0;
  double precision() const {
    return said > 0 ? static_cast<double>(both) / static_cast<double>(said) : 0;
  }
  double recall() const {
    return truth > 0 ? static_cast<double>(both) / static_cast<double>(truth) : 0;
  }
  double f1() const {
    const double sum = precision() + recall();
    return sum > 0 ? 2 * precision() * recall() / sum : 0;
  }
};

Result<int> label_index(std::string_view label, const std::string& where) {
  const auto labels = encoder::Encoder::domain_labels();
  const auto found = std::find(labels.begin(), labels.end(), label);
  if (found == labels.end()) {
    return fail(Code::kInvalidArgument, fmt::format("{}: unknown label '{}'", where, label));
  }
  return static_cast<int>(found - labels.begin());
}

Result<std::string> member(json::Value object, std::string_view key, const std::string& where) {
  SBX_TRY(const auto value, object.find(key));
  if (!value || !value->is_string()) {
    return fail(Code::kInvalidArgument, fmt::format("{}: needs a string \"{}\"", where, key));
  }
  return value->string();
}

Result<std::vector<Row>> judge(const std::string& path, const encoder::Encoder& encoder) {
  std::ifstream in(path);
  if (!in) return fail(Code::kIo, fmt::format("cannot open {}", path));
  std::vector<Row> rows;
  encoder::Workspace workspace;
  std::string line;
  for (std::size_t number = 1; std::getline(in, line); ++number) {
    if (line.empty()) continue;
    const std::string where = fmt::format("{}:{}", path, number);
    auto document = json::Document::parse(line);
    if (!document) return fail(Code::kInvalidArgument, where + ": " + document.error().message);
    SBX_TRY(const auto text, member(document->root(), "text", where));
    SBX_TRY(const auto label, member(document->root(), "label", where));
    SBX_TRY(const int truth, label_index(label, where));
    const auto analysis = encoder.analyze(text, encoder::Demand::kDomain, workspace);
    if (analysis.failed()) return std::unexpected(*analysis.error);
    const auto best = encoder::top(analysis.domain);
    rows.push_back(
        {.line = number, .truth = truth, .said = best.index, .confidence = best.probability});
  }
  if (rows.empty()) return fail(Code::kInvalidArgument, path + " holds no rows");
  return rows;
}

// Expected calibration error over equal-width bins of confidence (Guo et al. 2017).
double calibration_error(const std::vector<Row>& rows) {
  std::array<double, kCalibrationBins> confidence{};
  std::array<double, kCalibrationBins> right{};
  std::array<double, kCalibrationBins> count{};
  for (const auto& row : rows) {
    const auto bin = std::min<std::size_t>(
        kCalibrationBins - 1, static_cast<std::size_t>(row.confidence * kCalibrationBins));
    confidence[bin] += static_cast<double>(row.confidence);
    right[bin] += row.truth == row.said ? 1 : 0;
    count[bin] += 1;
  }
  double error = 0;
  for (std::size_t i = 0; i < count.size(); ++i) {
    if (count[i] > 0) error += std::abs(confidence[i] - right[i]);
  }
  return error / static_cast<double>(rows.size());
}

std::string figures(const std::vector<Row>& rows) {
  const auto labels = encoder::Encoder::domain_labels();
  std::vector<Counts> counts(labels.size());
  std::size_t right = 0;
  for (const auto& row : rows) {
    ++counts[static_cast<std::size_t>(row.truth)].truth;
    ++counts[static_cast<std::size_t>(row.said)].said;
    if (row.truth != row.said) continue;
    ++counts[static_cast<std::size_t>(row.truth)].both;
    ++right;
  }
  double f1_sum = 0;
  std::size_t seen = 0;
  for (const auto& count : counts) {
    if (count.truth == 0) continue;
    f1_sum += count.f1();
    ++seen;
  }
  std::string text;
  json::Writer out(text);
  out.begin_object().key("task").string("domain").key("n").integer(
      static_cast<std::int64_t>(rows.size()));
  out.key("accuracy").number(static_cast<double>(right) / static_cast<double>(rows.size()));
  out.key("macro_f1").number(f1_sum / static_cast<double>(seen));
  out.key("ece").number(calibration_error(rows)).key("labels").begin_object();
  for (std::size_t i = 0; i < labels.size(); ++i) {
    out.key(labels[i]).begin_object().key("precision").number(counts[i].precision());
    out.key("recall").number(counts[i].recall()).key("f1").number(counts[i].f1());
    out.key("support").integer(static_cast<std::int64_t>(counts[i].truth)).end_object();
  }
  out.end_object().key("errors").begin_array();
  std::size_t listed = 0;
  for (const auto& row : rows) {
    if (row.truth == row.said || listed++ >= kErrorsListedMax) continue;
    out.begin_object().key("line").integer(static_cast<std::int64_t>(row.line));
    out.key("label").string(labels[static_cast<std::size_t>(row.truth)]);
    out.key("said").string(labels[static_cast<std::size_t>(row.said)]);
    out.key("confidence").number(static_cast<double>(row.confidence)).end_object();
  }
  out.end_array().end_object();
  return text;
}

Result<std::string> evaluate(const Flags& flags) {
  if (flags.value("task").value_or("domain") != "domain") {
    return fail(Code::kInvalidArgument, "--task knows domain");
  }
  const auto file = flags.value("file");
  if (!file) return fail(Code::kInvalidArgument, "--file is needed");
  const auto directories = encoder::locate(flags.value("encoder-dir").value_or(""),
                                           flags.value("models-dir").value_or(""));
  SBX_TRY(const auto encoder, encoder::Encoder::load(directories.base, directories.models));
  SBX_TRY(const auto rows, judge(*file, *encoder));
  return figures(rows);
}

}  // namespace

int eval_command(Arguments arguments) {
  const auto flags = Flags::parse(arguments, kFlags, 0);
  if (flags && flags->has("help")) {
    fmt::print("{}",
               usage("eval --task domain --file FILE",
                     "Measures a classifier on labelled lines; prints one JSON object.", kFlags));
    return 0;
  }
  const auto answer =
      flags ? evaluate(*flags) : Result<std::string>(std::unexpected(flags.error()));
  if (!answer) {
    fmt::print(stderr, "signalbox eval: {}\n", answer.error().message);
    return 2;
  }
  fmt::print("{}\n", *answer);
  return 0;
}

}  // namespace signalbox::cli
