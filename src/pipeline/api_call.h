// What the handlers of the operator's API share: the call, its bounded inputs, and the encoder.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "encoder/encoder.h"
#include "exchange/exchange.h"
#include "json/document.h"
#include "json/writer.h"
#include "net/loop.h"
#include "net/task.h"
#include "pipeline/snapshot.h"

namespace signalbox::pipeline {

struct ApiCall {
  const exchange::ClientRequest& client;
  const exchange::Identity& identity;
  const Snapshot& snapshot;
  net::Loop& loop;
};

// Member `key` of a body that must be a string. Errors: kInvalidArgument (missing, another type,
// longer than limits::kApiTextBytesMax).
Result<std::string> text_member(json::Value root, std::string_view key);
// Member `key` that must be an array of 1 to `count_max` strings, each bounded as above.
Result<std::vector<std::string>> texts_member(json::Value root, std::string_view key,
                                              std::size_t count_max);
// `options.key` as a flag; `otherwise` where it is missing or of another type.
Result<bool> flag_option(json::Value root, std::string_view key, bool otherwise);
// `options.key` as a number in 0..1; errors: kInvalidArgument.
Result<double> share_option(json::Value root, std::string_view key, double otherwise);

// The chat completion that a body asks about: {"text": "..."} is short for one user message, a body
// with messages is taken as it is. Errors: kInvalidArgument (neither).
Result<std::string> chat_body(const std::string& body, const config::Config& config);
// What classifiers judge of a chat completion: its last user message. Errors: those of reading it.
Result<std::string> judged_text(const exchange::ClientRequest& client);

// The encoder of this process, or null.
const encoder::Encoder* encoder_of(const ApiCall& call);

// What the encoder says about each text, limits::kApiTextsAtOnce at a time so that a batch leaves
// room in the queue for requests. Errors: kUnavailable (no encoder, or too slow), kOverloaded.
net::Task<Result<std::vector<encoder::Analysis>>> analyze_texts(ApiCall call,
                                                                std::vector<std::string> texts,
                                                                encoder::Demand demand);
// The same for one text.
net::Task<Result<encoder::Analysis>> analyze_text(ApiCall call, std::string text,
                                                  encoder::Demand demand);

// Milliseconds since `start`, for "processing_time_ms".
double elapsed_ms(const ApiCall& call, TimePoint start);

}  // namespace signalbox::pipeline
