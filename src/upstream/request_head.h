// The head of one attempt: the client's headers without what is for us or for one connection only, plus what the chosen
// backend, the plugins and tracing add.
#pragma once

#include <cstddef>
#include <string>

#include "config/model.h"
#include "discovery/endpoint.h"
#include "exchange/exchange.h"

namespace signalbox::upstream {

struct HeadInputs {
  const exchange::ClientRequest& client;
  const exchange::Edits& edits;
  exchange::Endpoint endpoint = exchange::Endpoint::kOther;
  const config::BackendRef& backend;
  const net::Address& address;
  const std::string& base_path;
  std::size_t body_bytes = 0;
  std::string span_id;  // of this attempt, 16 hex digits
};

// The fields of that head without Host and framing, for a proxy that sends it in our place.
http::Headers request_headers(const HeadInputs& inputs);

// Path and query on the backend; see request_head().
std::string request_target(const HeadInputs& inputs);

// A complete HTTP/1.1 head. The path is base_path plus the client's own, or the backend's chat_path for chat
// completions. accept-encoding is fixed to identity, because the answer is looked at on its way.
std::string request_head(const HeadInputs& inputs);

}  // namespace signalbox::upstream
