#include "upstream/retry_rules.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace signalbox::upstream {
namespace {

constexpr std::chrono::milliseconds kFirstBackoff{100};
constexpr std::chrono::seconds kBackoffMax{2};
constexpr std::uint64_t kRetryAfterSecondsMax =
    1'000'000;  // keeps the arithmetic far from overflow

// Engine paths without an endpoint kind of their own that only compute.
constexpr std::array<std::string_view, 7> kComputingPaths = {
    "/v1/images/generations", "/pooling",     "/v1/pooling",    "/classify",
    "/v1/classify",           "/invocations", "/v1/moderations"};

void add_statuses(RetryConditions& conditions, int first, int last) {
  for (int status = first; status <= last; ++status) {
    conditions.statuses.set(static_cast<std::size_t>(status));
  }
}

}  // namespace

bool RetryConditions::error(Code code, bool sent) const {
  switch (code) {
    case Code::kUpstreamConnect:
      return connect_failure;
    case Code::kUpstreamTimeout:
      return connect_failure && !sent;
    case Code::kUpstreamReset:
    case Code::kUpstreamProtocol:
      return reset;
    default:
      return false;
  }
}

RetryConditions default_retry_conditions() {
  RetryConditions conditions;
  add_statuses(conditions, 502, 504);
  conditions.statuses.set(429);
  return conditions;
}

RetryConditions parse_retry_on(std::string_view words) {
  if (trim(words).empty()) return default_retry_conditions();
  RetryConditions conditions{.connect_failure = false, .reset = false, .statuses = {}};
  for (const std::string_view word : split(words, ',')) {
    if (word == "5xx") {
      add_statuses(conditions, 500, 599);
      conditions.connect_failure = conditions.reset = true;
    } else if (word == "gateway-error") {
      add_statuses(conditions, 502, 504);
    } else if (word == "connect-failure") {
      conditions.connect_failure = true;
    } else if (word == "reset" || word == "reset-before-request") {
      conditions.reset = true;
    } else if (word == "retriable-4xx") {
      conditions.statuses.set(409);
    } else if (const auto status = parse_uint(word); status && *status >= 400 && *status < 600) {
      conditions.statuses.set(static_cast<std::size_t>(*status));
    }
  }
  return conditions;
}

bool is_repeatable(const exchange::ClientRequest& client, exchange::Endpoint endpoint) {
  if (endpoint != exchange::Endpoint::kOther) return true;
  if (client.method == "GET" || client.method == "HEAD" || client.method == "OPTIONS") return true;
  return std::find(kComputingPaths.begin(), kComputingPaths.end(), client.path) !=
         kComputingPaths.end();
}

std::optional<Duration> retry_after(const http::Headers& headers) {
  const auto value = parse_uint(trim(headers.get("retry-after")));
  if (!value) return std::nullopt;
  return std::chrono::seconds(std::min(*value, kRetryAfterSecondsMax));
}

Duration backoff(int failures) {
  const int doublings = std::clamp(failures - 1, 0, 10);
  return std::min<Duration>(kFirstBackoff * (1 << doublings), kBackoffMax);
}

}  // namespace signalbox::upstream
