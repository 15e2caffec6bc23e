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
#include "base/clock.h"
#include "encoder/encoder.h"
#include "encoder/locate.h"
#include "json/splice.h"

namespace signalbox::cli {
namespace {

constexpr int kDone = 0;
constexpr int kCannot = 2;

constexpr std::array kFlags = {
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

void print(const encoder::Analysis& analysis, Duration time) {
  const auto labels = encoder::Encoder::domain_labels();
  const auto best = encoder::top(analysis.domain);
  std::string probabilities;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    probabilities +=
        fmt::format("{}{}:{:.4f}", i == 0 ? "" : ",", json::quote(labels[i]), analysis.domain[i]);
  }
  fmt::print(
      R"({{"label":{},"confidence":{:.4f},"probabilities":{{{}}},"tokens_seen":{},"tokens_total":{},"time_ms":{:.2f}}})"
      "\n",
      json::quote(labels[static_cast<std::size_t>(best.index)]), best.probability, probabilities,
      analysis.tokens_seen, analysis.tokens_total, milliseconds(time));
}

}  // namespace

int classify_command(Arguments arguments) {
  const auto flags = Flags::parse(arguments, kFlags, 1);
  if (!flags) return cannot(flags.error().message);
  if (flags->has("help") || flags->positional().empty()) {
    const std::string text = usage(
        "classify TEXT",
        "Prints the domain of a text, or what a classifier of yours says, as one JSON object.\n"
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
  encoder::Workspace workspace;
  const TimePoint start = system_clock().now();
  const auto analysis = (*encoder)->analyze(text, encoder::Demand::kDomain, workspace);
  if (analysis.failed()) return cannot(analysis.error->message);
  print(analysis, system_clock().now() - start);
  return kDone;
}

}  // namespace signalbox::cli
