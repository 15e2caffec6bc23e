// The "post_processor" of a tokenizer file: what stands around a single sequence.
#pragma once

#include "base/error.h"
#include "json/document.h"
#include "tokenize/tokenizer.h"

namespace signalbox::tokenize {

// Null is an empty frame. Errors: kCorrupt, kUnsupported (names the step).
Result<Frame> read_frame(json::Value value);

}  // namespace signalbox::tokenize
