// One small request and its whole response: health checks, metric scrapes, trace export. Not for proxied traffic.
#pragma once

#include <cstddef>
#include <string>

#include "base/clock.h"
#include "base/error.h"
#include "base/limits.h"
#include "http/client.h"
#include "http/headers.h"
#include "net/task.h"

namespace signalbox::http {

struct FetchRequest {
  std::string method = "GET";
  std::string url;  // http:// or https://
  Headers headers;
  std::string body;
  std::size_t response_bytes_max = limits::kFetchBodyBytesMax;
};

struct FetchResponse {
  int status = 0;
  Headers headers;
  std::string body;
};

// Connects (or reuses), sends, reads all, within one deadline; tries once more on a new connection when a pooled one
// turned out to be closed. Any status is a success here.
// Errors: kInvalidArgument (URL), those of ClientPool and Lease::exchange, kUpstreamProtocol for a response body over
// the limit. `pool` and `cancel` (may be nullptr) must outlive the task.
net::Task<Result<FetchResponse>> fetch(ClientPool* pool, FetchRequest request, Deadline deadline,
                                       net::Cancellation* cancel);

}  // namespace signalbox::http
