// The operator's API: POST /api/v1/eval tells how a request would be routed, without asking any engine.
#pragma once

#include <string>
#include <string_view>

#include "exchange/exchange.h"
#include "net/loop.h"
#include "net/task.h"
#include "pipeline/snapshot.h"

namespace signalbox::pipeline {

bool is_api_path(std::string_view path);

struct ApiCall {
  const exchange::ClientRequest& client;
  const exchange::Identity& identity;
  const Snapshot& snapshot;
  net::Loop& loop;
};

// JSON body of the answer. Errors: kInvalidArgument (no text), kModelNotFound (the model names no routing), kNotFound.
net::Task<Result<std::string>> answer_api(ApiCall call);

}  // namespace signalbox::pipeline
