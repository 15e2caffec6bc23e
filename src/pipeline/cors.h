// CORS (Fetch Standard, 3.2): which origins' scripts may read our answers. Off without `signalbox.cors.origins`.
#pragma once

#include <optional>

#include "config/model.h"
#include "exchange/exchange.h"
#include "http/headers.h"

namespace signalbox::pipeline {

// The headers that answer a preflight, or nothing when the request is none or the origin may not ask.
std::optional<http::Headers> preflight_headers(const config::Cors& cors,
                                               const exchange::ClientRequest& client);

// What an answer to a request of an allowed origin carries; nothing for others.
void add_cors_headers(const config::Cors& cors, const exchange::ClientRequest& client,
                      http::Headers& headers);

}  // namespace signalbox::pipeline
