// signalbox classify "text": what the classifiers say about one text, as JSON.
#include <fmt/core.h>

#include <array>
#include <cstdio>
#include <iostream>
#include <iterator>
#include <string>

#include "apps/signalbox/classify_model.h"
#include "apps/signalbox/commands.h"
#include "apps/signalbox/flags.h"
#include "apps/signalbox/pii.h"
#include "base/clock.h"
#include "encoder/encoder.h"
#include "encoder/locate.h"
#include "encoder/text_head.h"
#include "json/splice.h"

namespace signalbox::cli {
namespace {

constexpr int kDone = 0;
constexpr int kCannot = 2;

constexpr std::array kFlags = {
    FlagSpec{"task", "NAME", "domain (default) or pii"},
    FlagSpec{"encoder-dir", "DIR",
             "the base model (default: SIGNALBOX_ENCODER_DIR, else the cache)"},
    FlagSpec{"models-dir", "DIR",
             "our trained heads (default: SIGNALBOX_MODELS_DIR, else models/)"},
    FlagSpec{"model", "DIR", "a classifier in model hub format instead of our own heads"},
    FlagSpec{"base", "DIR", "with --model naming an adapter: the model it was trained for"},
    FlagSpec{"mapping", "FILE", "with --model: its labels, {\"idx_to_label\": {..}}"},
    FlagSpec{"help", "", "print this"},
};

int cannot(const std::string& message) {
  fmt::print(stderr, "signalbox classify: {}\n", message);
  return kCannot;
}

encoder::Demand all_tasks() {
  auto demand = encoder::Demand::kNone;
  for (const encoder::Task task : encoder::kTasks) demand |= encoder::demand_of(task);
  return demand;
}

// What each head says in a line: its label and how sure it is; of a detector also the score and
// whether that is a finding.
std::string tasks_json(const encoder::Encoder& encoder, const encoder::Analysis& analysis) {
  std::string out;
  for (const encoder::Task task : encoder::kTasks) {
    const encoder::TextHead* head = encoder.head(task);
    if (head == nullptr) continue;
    const auto best = encoder::top(analysis.of(task));
    const double score = static_cast<double>(head->score(analysis.of(task)));
    out += fmt::format(R"({}"{}":{{"label":{},"confidence":{:.4f})", out.empty() ? "" : ",",
                       encoder::task_name(task),
                       json::quote(head->labels()[static_cast<std::size_t>(best.index)]),
                       best.probability);
    if (!head->meta().positive.empty()) {
      out += fmt::format(R"(,"score":{:.4f},"threshold":{:.4f},"found":{})", score,
                         head->meta().threshold, score >= head->meta().threshold);
    }
    out += "}";
  }
  return out;
}

void print(const encoder::Encoder& encoder, const encoder::Analysis& analysis, Duration time) {
  const auto labels = encoder::Encoder::domain_labels();
  const auto domain = analysis.of(encoder::Task::kDomain);
  const auto best = encoder::top(domain);
  std::string probabilities;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    probabilities +=
        fmt::format("{}{}:{:.4f}", i == 0 ? "" : ",", json::quote(labels[i]), domain[i]);
  }
  fmt::print(
      R"({{"label":{},"confidence":{:.4f},"probabilities":{{{}}},"tasks":{{{}}},"passes":{:.2f},"tokens_seen":{},"tokens_total":{},"time_ms":{:.2f}}})"
      "\n",
      json::quote(labels[static_cast<std::size_t>(best.index)]), best.probability, probabilities,
      tasks_json(encoder, analysis), analysis.passes_used, analysis.tokens_seen,
      analysis.tokens_total, milliseconds(time));
}

}  // namespace

int classify_command(Arguments arguments) {
  const auto flags = Flags::parse(arguments, kFlags, 1);
  if (!flags) return cannot(flags.error().message);
  if (flags->has("help") || flags->positional().empty()) {
    const std::string text =
        usage("classify TEXT",
              "Prints what all classifiers, or one of yours, say about a text as one JSON object.\n"
              "TEXT \"-\" reads standard input.",
              kFlags);
    fmt::print(flags->has("help") ? stdout : stderr, "{}", text);
    return flags->has("help") ? kDone : kCannot;
  }
  std::string text = flags->positional().front();
  if (text == "-") text.assign(std::istreambuf_iterator<char>(std::cin), {});
  if (const auto model = flags->value("model")) {
    const auto answer = classify_with_model(*model,
                                            {.base_directory = flags->value("base").value_or(""),
                                             .mapping_path = flags->value("mapping").value_or("")},
                                            text);
    if (!answer) return cannot(answer.error().message);
    fmt::print("{}\n", *answer);
    return kDone;
  }
  const auto directories = encoder::locate(flags->value("encoder-dir").value_or(""),
                                           flags->value("models-dir").value_or(""));
  const auto encoder = encoder::Encoder::load(directories.base, directories.models);
  if (!encoder) return cannot(encoder.error().message + "; `./dev build` fetches the base model");
  if (!(*encoder)->has_domain()) return cannot("no domain classifier in " + directories.models);
  const std::string task(flags->value("task").value_or("domain"));
  if (task == "pii") {
    fmt::print("{}\n", pii_json(**encoder, text));
    return kDone;
  }
  if (task != "domain") return cannot("the tasks are: domain, pii");
  encoder::Workspace workspace;
  const TimePoint start = system_clock().now();
  const auto analysis = (*encoder)->analyze(text, all_tasks(), workspace);
  print(**encoder, analysis, system_clock().now() - start);
  return kDone;
}

}  // namespace signalbox::cli
