// The objects that answers of the classification API are made of: one per classifier.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "encoder/encoder.h"
#include "json/writer.h"
#include "pii/entity.h"

namespace signalbox::pipeline {

// How personal data is shown.
struct PiiOptions {
  std::vector<pii::Type> types;  // empty: all
  double threshold = 0;
  bool positions = true;  // start_position and end_position, in code points
  bool mask = false;      // masked_value and masked_text
  bool reveal = false;    // the values themselves instead of their type in brackets
};

// From a request's options. Errors: kInvalidArgument (unknown type, threshold out of range).
Result<PiiOptions> read_pii_options(json::Value root);

// Each writes an object; `time_ms` becomes its "processing_time_ms".
void write_pii(json::Writer& out, std::string_view text, std::vector<pii::Entity> entities,
               const PiiOptions& options, std::string_view rung, double time_ms);
// "category" and "confidence", and the probability of each label if asked for. Without a domain head
// the category is empty.
void write_intent(json::Writer& out, const encoder::Encoder& encoder,
                  const encoder::Analysis& analysis, bool probabilities, double time_ms);
// The higher of the two detectors decides; `threshold` below 0 means each head's own.
void write_security(json::Writer& out, const encoder::Encoder& encoder,
                    const encoder::Analysis& analysis, double threshold, double time_ms);

}  // namespace signalbox::pipeline
