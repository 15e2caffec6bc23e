// signalbox eval --task T --file X.jsonl: measures a classifier on a labelled file.
#include <fmt/core.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>

#include "apps/signalbox/commands.h"
#include "apps/signalbox/eval_tasks.h"
#include "apps/signalbox/flags.h"
#include "apps/signalbox/pii.h"
#include "base/text.h"
#include "encoder/locate.h"

namespace signalbox::cli {
namespace {

constexpr std::array kFlags = {
    FlagSpec{"task", "NAME",
             "domain, jailbreak, injection, complexity, fact_check, feedback, task_kind, "
             "pii, language, cache or tools"},
    FlagSpec{"file", "FILE",
             "JSON lines: \"text\" and \"label\"; for pii \"spans\"; for cache \"a\", \"b\", "
             "\"label\"; for tools "
             "\"text\", \"tool\", \"candidates\""},
    FlagSpec{"catalog", "FILE", "for tools: JSON lines with \"name\" and \"description\""},
    FlagSpec{"threshold", "P", "0 to 1: act on scores from here on (default: the task's own)"},
    FlagSpec{"misclassified", "", "also list the rows that came out wrong, by line number"},
    FlagSpec{"encoder-dir", "DIR",
             "the base model (default: SIGNALBOX_ENCODER_DIR, else the cache)"},
    FlagSpec{"models-dir", "DIR",
             "our trained heads (default: SIGNALBOX_MODELS_DIR, else models/)"},
    FlagSpec{"help", "", "print this"},
};

struct NamedTask {
  std::string_view name;
  int (*run)(const EvalInput& input);
};

// Tasks that are not one of the text heads.
constexpr std::array kOtherTasks = {
    NamedTask{"pii", eval_pii},
    NamedTask{"language", eval_language},
    NamedTask{"cache", eval_cache},
    NamedTask{"tools", eval_tools},
};

std::string task_list() {
  std::string out;
  for (const encoder::Task task : encoder::kTasks)
    out += (out.empty() ? "" : ", ") + std::string(encoder::task_name(task));
  for (const NamedTask& task : kOtherTasks) out += ", " + std::string(task.name);
  return out;
}

int run_task(std::string_view name, const EvalInput& input) {
  for (const NamedTask& task : kOtherTasks) {
    if (task.name == name) return task.run(input);
  }
  return eval_text(input, *encoder::task_named(name));
}

bool known_task(std::string_view name) {
  for (const NamedTask& task : kOtherTasks) {
    if (task.name == name) return true;
  }
  return encoder::task_named(name).has_value();
}

Result<std::optional<double>> read_threshold(const Flags& flags) {
  const auto text = flags.value("threshold");
  if (!text) return std::optional<double>();
  const auto value = parse_double(*text);
  if (!value || !(*value >= 0 && *value <= 1))
    return fail(Code::kInvalidArgument, "--threshold must be a number from 0 to 1");
  return value;
}

}  // namespace

int cannot_eval(const std::string& message) {
  fmt::print(stderr, "signalbox eval: {}\n", message);
  return kNotMeasured;
}

int eval_command(Arguments arguments) {
  const auto flags = Flags::parse(arguments, kFlags, 0);
  if (!flags) return cannot_eval(flags.error().message);
  if (flags->has("help")) {
    fmt::print(
        "{}",
        usage("eval --task NAME --file FILE",
              "Measures a classifier on a labelled file and prints one JSON object.\n"
              "Exit status: 0 measured, 1 measured but some lines were unusable, 2 not measured.",
              kFlags));
    return kMeasured;
  }
  const std::string task = flags->value("task").value_or("");
  if (!known_task(task)) return cannot_eval("--task must be one of: " + task_list());
  const auto threshold = read_threshold(*flags);
  if (!threshold) return cannot_eval(threshold.error().message);
  const auto file = flags->value("file");
  if (!file) return cannot_eval("--file must be given");
  std::ifstream in(*file, std::ios::binary);
  if (!in) return cannot_eval("cannot open " + *file);
  const auto directories = encoder::locate(flags->value("encoder-dir").value_or(""),
                                           flags->value("models-dir").value_or(""));
  const auto encoder = encoder::Encoder::load(directories.base, directories.models);
  if (!encoder)
    return cannot_eval(encoder.error().message + "; `./dev build` fetches the base model");
  return run_task(task, {.encoder = **encoder,
                         .in = in,
                         .models_directory = directories.models,
                         .list_misclassified = flags->has("misclassified"),
                         .threshold = *threshold,
                         .catalog = flags->value("catalog").value_or("")});
}

}  // namespace signalbox::cli
