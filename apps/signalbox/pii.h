// The parts of `eval` and `classify` that deal in spans of personal data instead of labels.
#pragma once

#include <string>
#include <string_view>

#include "apps/signalbox/eval_tasks.h"
#include "encoder/encoder.h"

namespace signalbox::cli {

// Reads lines {"text", "spans": [[begin, end, type]]} and prints one JSON object: micro_f1 (exact)
// and micro_f1_overlap, precision, recall and F1 per type. Only types that the file marks count.
// With list_misclassified also the lines with wrong or missed spans. Exit status as of `eval`.
int eval_pii(const EvalInput& input);

// The entities of one text as a JSON object.
std::string pii_json(const encoder::Encoder& encoder, std::string_view text);

}  // namespace signalbox::cli
