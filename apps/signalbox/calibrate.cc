// signalbox calibrate --task T --file X.jsonl: thresholds for a user's own labelled prompts, where serve reads them.
#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>

#include "apps/signalbox/commands.h"
#include "apps/signalbox/flags.h"
#include "apps/signalbox/judged_text.h"
#include "base/text.h"
#include "encoder/locate.h"
#include "json/splice.h"

namespace signalbox::cli {
namespace {

constexpr int kWritten = 0;
constexpr int kNotWritten = 2;
// Fewer rows of a kind than this give thresholds that are mostly chance.
constexpr std::size_t kRowsMin = 20;
constexpr double kDefaultRate = 0.01;
constexpr double kDefaultAccuracy = 0.9;

constexpr std::array kFlags = {
    FlagSpec{"task", "NAME",
             "domain, jailbreak, injection, complexity, fact_check, feedback or task_kind"},
    FlagSpec{"file", "FILE", "your prompts: JSON lines with \"text\" and \"label\""},
    FlagSpec{"fpr", "P",
             "for tasks that find something: share of innocent prompts that may be found (0.01)"},
    FlagSpec{"accuracy", "P",
             "for the others: how often a verdict that is acted on must be right (0.9)"},
    FlagSpec{"dry-run", "", "print the thresholds without writing them"},
    FlagSpec{"encoder-dir", "DIR",
             "the base model (default: SIGNALBOX_ENCODER_DIR, else the cache)"},
    FlagSpec{"models-dir", "DIR",
             "our trained heads (default: SIGNALBOX_MODELS_DIR, else models/)"},
    FlagSpec{"help", "", "print this"},
};

int cannot(const std::string& message) {
  fmt::print(stderr, "signalbox calibrate: {}\n", message);
  return kNotWritten;
}

Result<double> read_share(const Flags& flags, std::string_view name, double otherwise) {
  const auto text = flags.value(name);
  if (!text) return otherwise;
  const auto value = parse_double(*text);
  if (!value || !(*value >= 0 && *value < 1))
    return fail(Code::kInvalidArgument, fmt::format("--{} must be a number from 0 to 1", name));
  return *value;
}

using Rows = std::vector<Line<JudgedText>>;

struct Thresholds {
  double threshold = 0;
  double abstain_low = 0, abstain_high = 0;
  std::string figures;  // members of the JSON object: what they do on these rows
};

// Scores between the threshold for the rate asked for and the one for five times that rate are
// left to the lower rung.
Result<Thresholds> of_detector(const Rows& rows, double rate) {
  std::vector<encoder::Scored> scored;
  for (const auto& row : rows) scored.push_back(row.content.scored);
  const auto innocent =
      static_cast<std::size_t>(std::ranges::count(scored, false, &encoder::Scored::positive));
  if (innocent < kRowsMin) {
    return fail(
        Code::kInvalidArgument,
        fmt::format("only {} innocent prompts; at least {} are needed", innocent, kRowsMin));
  }
  Thresholds out;
  out.threshold = std::min(1.0, encoder::threshold_at(scored, rate));
  out.abstain_low = std::min(out.threshold, encoder::threshold_at(scored, std::min(1.0, 5 * rate)));
  out.abstain_high = out.threshold;
  const auto figures = encoder::evaluate_detector(scored, out.threshold);
  out.figures = fmt::format(R"("fpr":{:.4f},"tpr":{:.4f},"auroc":{:.4f})", figures.fpr_at_threshold,
                            figures.tpr_at_threshold, figures.auroc);
  return out;
}

// The lowest confidence from which on verdicts are right often enough; below it the head abstains.
Result<Thresholds> of_labels(const Rows& rows, double accuracy) {
  if (rows.size() < kRowsMin) {
    return fail(Code::kInvalidArgument,
                fmt::format("only {} prompts; at least {} are needed", rows.size(), kRowsMin));
  }
  std::vector<encoder::Judged> judged;
  for (const auto& row : rows) judged.push_back(row.content.judged);
  std::ranges::sort(judged, std::greater<>(), &encoder::Judged::confidence);
  double right = 0, taken = 0;
  Thresholds out{.threshold = 1};
  for (const encoder::Judged& row : judged) {
    taken += 1;
    right += row.label == row.predicted ? 1 : 0;
    if (right / taken >= accuracy) out.threshold = static_cast<double>(row.confidence);
  }
  out.abstain_high = out.threshold;
  const encoder::Routed routed = encoder::route(judged, out.threshold);
  out.figures =
      fmt::format(R"("coverage":{:.4f},"accuracy":{:.4f})", routed.coverage, routed.accuracy);
  return out;
}

std::string to_json(const Thresholds& thresholds, const encoder::TextHead& head, std::size_t rows) {
  return fmt::format(
      R"({{"version":{},"threshold":{:.6f},"abstain":{{"low":{:.6f},"high":{:.6f}}},"n":{},{}}})"
      "\n",
      json::quote(head.version()), thresholds.threshold, thresholds.abstain_low,
      thresholds.abstain_high, rows, thresholds.figures);
}

int calibrate(const Flags& flags, const encoder::Encoder& encoder, encoder::Task task,
              const std::string& models, std::istream& in) {
  const encoder::TextHead* head = encoder.head(task);
  if (head == nullptr)
    return cannot(fmt::format("no {} classifier in {}", encoder::task_name(task), models));
  const auto rate = read_share(flags, "fpr", kDefaultRate);
  if (!rate) return cannot(rate.error().message);
  const auto accuracy = read_share(flags, "accuracy", kDefaultAccuracy);
  if (!accuracy) return cannot(accuracy.error().message);
  const auto file = judge_texts(in, encoder, task);
  if (!file.errors.empty()) {
    return cannot(fmt::format("line {}: {}", file.errors[0].line, file.errors[0].message));
  }
  const bool detector = !head->meta().positive.empty();
  const auto thresholds =
      detector ? of_detector(file.rows, *rate) : of_labels(file.rows, *accuracy);
  if (!thresholds) return cannot(thresholds.error().message);
  const std::string text = to_json(*thresholds, *head, file.rows.size());
  fmt::print("{}", text);
  if (flags.has("dry-run")) return kWritten;
  const std::string path = fmt::format("{}/{}/calibration.json", models, encoder::task_name(task));
  std::ofstream out(path, std::ios::binary);
  out << text;
  out.close();
  if (!out) return cannot("cannot write " + path);
  fmt::print(stderr, "written to {}; serve reads it when it starts\n", path);
  return kWritten;
}

}  // namespace

int calibrate_command(Arguments arguments) {
  const auto flags = Flags::parse(arguments, kFlags, 0);
  if (!flags) return cannot(flags.error().message);
  if (flags->has("help")) {
    fmt::print("{}", usage("calibrate --task NAME --file FILE",
                           "Computes a head's thresholds from your own labelled prompts, prints "
                           "them as one JSON object\nand writes them into the models folder.",
                           kFlags));
    return kWritten;
  }
  const auto task = encoder::task_named(flags->value("task").value_or(""));
  if (!task) return cannot("--task must be the name of a text classifier; --help lists them");
  const auto file = flags->value("file");
  if (!file) return cannot("--file must be given");
  std::ifstream in(*file, std::ios::binary);
  if (!in) return cannot("cannot open " + *file);
  const auto directories = encoder::locate(flags->value("encoder-dir").value_or(""),
                                           flags->value("models-dir").value_or(""));
  const auto encoder = encoder::Encoder::load(directories.base, directories.models);
  if (!encoder) return cannot(encoder.error().message + "; `./dev build` fetches the base model");
  return calibrate(*flags, **encoder, *task, directories.models, in);
}

}  // namespace signalbox::cli
