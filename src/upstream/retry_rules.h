// What may be tried again, and how long to wait before asking the same engine. Pure functions.
#pragma once

#include <bitset>
#include <optional>
#include <string_view>

#include "base/clock.h"
#include "base/error.h"
#include "exchange/exchange.h"
#include "http/headers.h"

namespace signalbox::upstream {

// Which outcomes of an attempt are worth another one. The default: connections that failed or broke, and 429, 502, 503
// and 504.
struct RetryConditions {
  bool connect_failure = true;
  bool reset = true;  // broken or nonsensical before the response head was complete
  std::bitset<600> statuses;

  bool status(int code) const {
    return code >= 0 && code < 600 && statuses[static_cast<std::size_t>(code)];
  }
  // `sent`: the request had been put on the connection. A timeout after that is never worth another attempt: a slow
  // prefill is not a failure that another replica does better.
  bool error(Code code, bool sent) const;
};
RetryConditions default_retry_conditions();

// From `retry_on` of a model, in Envoy's words: "5xx", "gateway-error", "connect-failure", "reset", "retriable-4xx", or a
// status as a number; comma separated. Empty gives the default; words we do not know are left out.
RetryConditions parse_retry_on(std::string_view words);

// Whether a request may be sent again after its body was sent and no answer has been passed on. Inference has no effect
// on an engine but cost. What creates or changes something (files, batches, loading an adapter) is sent once.
bool is_repeatable(const exchange::ClientRequest& client, exchange::Endpoint endpoint);

// Wait that an answer asks for (Retry-After in seconds; RFC 9110 10.2.3). Nothing if there is none or it is a date.
std::optional<Duration> retry_after(const http::Headers& headers);

// Wait before the same engine is dialled again after failure number `failures` (from 1): 100 ms, doubling, at most 2 s.
Duration backoff(int failures);

}  // namespace signalbox::upstream
