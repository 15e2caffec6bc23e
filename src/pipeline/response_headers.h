// The x-vsr-* response headers of both generations: the founding document's (always on, what tutorial readers grep for)
// and the v0.3 contract (schema version 2, details only with x-vsr-debug). Source of names: semantic router pkg/headers.
#pragma once

#include <span>
#include <string_view>

#include "config/model.h"
#include "exchange/exchange.h"
#include "exchange/leaf.h"
#include "http/headers.h"

namespace signalbox::pipeline {

// Which leaves matched, for the debug headers; indices as in Signals::leaves.
struct HeaderInputs {
  const exchange::Exchange& exchange;
  std::span<const exchange::Leaf> leaves;
  std::string_view recipe;  // of the entrypoint, or empty
  config::HeaderSet set = config::HeaderSet::kBoth;
};

// Sets the headers of an answer about to start, in the place of an engine's of the same names. Values are configuration
// names, numbers and enum words, never text of the request. A signal that was not needed reads "not-evaluated", never "none".
void add_response_headers(const HeaderInputs& inputs, http::Headers& headers);

// "upstream", "fast_response", ...: the value of x-vsr-response-path.
std::string_view response_path_name(exchange::ResponsePath path);
// "encoder", "embedding", "keyword", "default"; empty for kNone.
std::string_view rung_name(exchange::Rung rung);

}  // namespace signalbox::pipeline
