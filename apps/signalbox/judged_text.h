// Texts of a labelled file as a head judges them, for eval and calibrate.
#pragma once

#include <istream>
#include <string>
#include <vector>

#include "apps/signalbox/labelled_file.h"
#include "encoder/encoder.h"
#include "encoder/evaluation.h"
#include "encoder/text_head.h"

namespace signalbox::cli {

struct JudgedText {
  std::string text;
  encoder::Judged judged;  // by label
  encoder::Scored scored;  // by score, for detectors
};

// Index of a label as people write them: a head's own name in any case with '_', '-' or a space, the names that the
// reference system gives in its configuration, and 1 and 0 for a detector's first positive and first other label.
// Errors: kInvalidArgument.
Result<int> label_of(json::Value value, const encoder::TextHead& head);

// Reads the rows and runs the head over them, on all processors.
LabelledFile<JudgedText> judge_texts(std::istream& in, const encoder::Encoder& encoder,
                                     encoder::Task task);

}  // namespace signalbox::cli
