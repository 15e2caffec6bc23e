// What `signalbox eval` can measure, one function a task. Each reads the labelled file, prints one JSON object on standard
// output and returns the exit status: 0 measured, 1 measured but some lines were unusable, 2 not measured (said on
// standard error).
#pragma once

#include <istream>
#include <optional>
#include <string>

#include "encoder/encoder.h"

namespace signalbox::cli {

inline constexpr int kMeasured = 0;
inline constexpr int kSomeLinesUnusable = 1;
inline constexpr int kNotMeasured = 2;

struct EvalInput {
  const encoder::Encoder& encoder;
  std::istream& in;
  std::string models_directory;
  bool list_misclassified = false;
  std::optional<double> threshold;  // --threshold; nothing: the task's own
  std::string catalog;              // --catalog, for tools
};

// Lines {"text", "label"}; the label by name, or 0 and 1 for detectors.
int eval_text(const EvalInput& input, encoder::Task task);
// Lines {"text", "label"} with ISO 639-1 codes.
int eval_language(const EvalInput& input);
// Lines {"a", "b", "label"}: is an answer to one question an answer to the other? By cosine of embeddings.
int eval_cache(const EvalInput& input);
// Lines {"text", "tool", "candidates"} beside a catalog of {"name", "description"}: nearest tools by cosine.
int eval_tools(const EvalInput& input);

// Says why on standard error; kNotMeasured.
int cannot_eval(const std::string& message);

}  // namespace signalbox::cli
