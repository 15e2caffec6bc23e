// Answers that need no upstream: model list, health, readiness, version, metrics. Also the whole of the admin door.
#pragma once

#include <optional>
#include <string>

#include "exchange/exchange.h"
#include "pipeline/services.h"

namespace signalbox::pipeline {

struct LocalAnswer {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
};

// The answer to a path that is ours, or nothing when the request has to be routed. HEAD is answered like GET.
// A known path with the wrong method is kMethodNotAllowed.
Result<std::optional<LocalAnswer>> answer_locally(const exchange::ClientRequest& client,
                                                  Services& services, const Snapshot& snapshot);

// {"object":"list","data":[...]}: automatic names first, then every model and adapter that is configured or that an
// engine says it serves, each once.
std::string model_list(const Snapshot& snapshot, const Services& services);

}  // namespace signalbox::pipeline
