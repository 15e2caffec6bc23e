// `signalbox classify --model DIR`: one text through a classifier of a model hub directory.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "encoder/classifier_model.h"

namespace signalbox::cli {

// One JSON object: labels with probabilities, or entities with their place in code points. Errors: those of
// ClassifierModel::load.
Result<std::string> classify_with_model(const std::string& directory,
                                        const encoder::ClassifierOptions& options,
                                        std::string_view text);

}  // namespace signalbox::cli
