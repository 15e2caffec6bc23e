// fast_response: the decision answers by itself with a fixed text; no upstream is asked.
#pragma once

#include "config/model.h"
#include "exchange/exchange.h"

namespace signalbox::plugins {

// Sets edits.fast_response and returns true for the APIs that answer with text (chat completions, completions, responses,
// messages); embeddings, scores and the rest have no place for a sentence and go upstream.
bool answer_at_once(const config::FastResponsePlugin& plugin, const exchange::Request& request,
                    exchange::Edits& edits);

}  // namespace signalbox::plugins
