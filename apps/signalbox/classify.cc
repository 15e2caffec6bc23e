#include <fmt/core.h>

#include <array>
#include <cstdio>

#include "apps/signalbox/commands.h"
#include "apps/signalbox/flags.h"
#include "base/clock.h"
#include "encoder/encoder.h"
#include "encoder/locate.h"
#include "json/writer.h"

namespace signalbox::cli {
namespace {

constexpr std::array kFlags = {
    FlagSpec{"encoder-dir", "DIR", "sentence encoder in hub format"},
    FlagSpec{"models-dir", "DIR", "trained heads"},
    FlagSpec{"help", "", "this text"},
};

Result<std::string> classify(const Flags& flags) {
  const auto directories = encoder::locate(flags.value("encoder-dir").value_or(""),
                                           flags.value("models-dir").value_or(""));
  SBX_TRY(const auto encoder, encoder::Encoder::load(directories.base, directories.models));
  encoder::Workspace workspace;
  const TimePoint begun = system_clock().now();
  auto analysis = encoder->analyze(flags.positional().front(), encoder::Demand::kDomain, workspace);
  const Duration taken = system_clock().now() - begun;
  if (analysis.failed()) return std::unexpected(*std::move(analysis.error));
  const auto labels = encoder::Encoder::domain_labels();
  const auto best = encoder::top(analysis.domain);
  std::string text;
  json::Writer out(text);
  out.begin_object().key("label").string(labels[static_cast<std::size_t>(best.index)]);
  out.key("confidence").number(static_cast<double>(best.probability));
  out.key("probabilities").begin_object();
  for (std::size_t i = 0; i < labels.size(); ++i) {
    out.key(labels[i]).number(static_cast<double>(analysis.domain[i]));
  }
  out.end_object();
  out.key("tokens_seen")
      .integer(analysis.tokens_seen)
      .key("tokens_total")
      .integer(analysis.tokens_total);
  out.key("passes")
      .integer(analysis.passes)
      .key("time_ms")
      .number(milliseconds(taken))
      .end_object();
  return text;
}

}  // namespace

int classify_command(Arguments arguments) {
  const auto flags = Flags::parse(arguments, kFlags, 1);
  if (!flags || flags->has("help") || flags->positional().empty()) {
    if (!flags) fmt::print(stderr, "signalbox classify: {}\n", flags.error().message);
    const bool asked = flags && flags->has("help");
    fmt::print(asked ? stdout : stderr, "{}",
               usage("classify [FLAGS] \"TEXT\"", "Prints the domain of a text as one JSON object.",
                     kFlags));
    return asked ? 0 : 2;
  }
  const auto answer = classify(*flags);
  if (!answer) {
    fmt::print(stderr, "signalbox classify: {}\n", answer.error().message);
    return 2;
  }
  fmt::print("{}\n", *answer);
  return 0;
}

}  // namespace signalbox::cli
