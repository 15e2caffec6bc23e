// An answer of our own in the shape of the API that was called.
#pragma once

#include <string>

#include "api/answer.h"
#include "exchange/exchange.h"

namespace signalbox::pipeline {

// JSON body, or the whole event stream. Endpoints without text answers get a chat completion.
std::string own_answer(exchange::Endpoint endpoint, bool stream, const api::Answer& answer);

// "chat_completions", ...: the kind of path, as a metric label.
std::string_view endpoint_word(exchange::Endpoint endpoint);

}  // namespace signalbox::pipeline
