// Which API a path belongs to.
#pragma once

#include <string_view>

#include "exchange/exchange.h"

namespace signalbox::request {

// By path without query, with and without the /v1 prefix (rerank also /v2); kOther for every other path.
exchange::Endpoint endpoint_of(std::string_view path);

// True for APIs whose body is always JSON, whatever the content-type says: engines read it so.
bool has_json_body(exchange::Endpoint endpoint);

// True where a request without a `model` is refused. Elsewhere an engine may have its own default.
bool requires_model(exchange::Endpoint endpoint);

}  // namespace signalbox::request
