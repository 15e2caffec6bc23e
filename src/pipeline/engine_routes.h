// Endpoints that speak of single engines: which there are, putting them to sleep and waking them, loading and unloading
// adapters.
//
//   GET  /engines                                      ids, models and state of every engine
//   POST /sleep?id=, POST /wake_up?id=, GET /is_sleeping?id=    one engine; other parameters go on to it
//   POST /v1/load_lora_adapter[?id=], POST /v1/unload_lora_adapter[?id=]   one engine, or every one
#pragma once

#include <string>

#include "exchange/exchange.h"
#include "http/client.h"
#include "net/task.h"
#include "pipeline/services.h"

namespace signalbox::pipeline {

// An answer that is complete at once, of ours or of an engine.
struct EngineAnswer {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
};

struct EngineCall {
  const exchange::ClientRequest& client;
  Services& services;
  http::ClientPool& clients;
  net::Cancellation& gone;
};

bool is_engine_path(std::string_view path);

// Errors: kMethodNotAllowed, kInvalidArgument (no id, or of no engine), and those of asking an engine. When it returns
// after a change of adapters or sleep, requests are routed by the new state on every core.
net::Task<Result<EngineAnswer>> answer_engine_call(EngineCall call);

}  // namespace signalbox::pipeline
