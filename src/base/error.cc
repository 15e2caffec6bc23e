#include "base/error.h"

#include <array>

#include "base/assert.h"

namespace signalbox {
namespace {

constexpr std::string_view kRequestError = "invalid_request_error";
constexpr std::string_view kServerError = "server_error";

// Indexed by Code. gRPC numbers: google/rpc/code.proto.
constexpr std::array<CodeTraits, kCodeCount> kTraits = {{
    {"invalid_argument", 400, kRequestError, "", 3, false},
    {"model_not_found", 404, kRequestError, "model_not_found", 5, false},
    {"not_found", 404, kRequestError, "not_found", 5, false},
    {"method_not_allowed", 405, kRequestError, "method_not_allowed", 12, false},
    {"unauthenticated", 401, "authentication_error", "invalid_api_key", 16, false},
    {"permission_denied", 403, "permission_error", "permission_denied", 7, false},
    {"request_timeout", 408, kRequestError, "request_timeout", 4, false},
    {"payload_too_large", 413, kRequestError, "request_too_large", 8, false},
    {"header_too_large", 431, kRequestError, "header_too_large", 8, false},
    {"expectation_failed", 417, kRequestError, "expectation_failed", 3, false},
    {"rate_limited", 429, "rate_limit_error", "rate_limit_exceeded", 8, false},
    {"cancelled", 499, kRequestError, "cancelled", 1, false},
    {"overloaded", 503, "overloaded_error", "overloaded", 14, false},
    {"unavailable", 503, kServerError, "no_healthy_upstream", 14, true},
    {"upstream_connect", 502, kServerError, "upstream_connect_failed", 14, true},
    {"upstream_reset", 502, kServerError, "upstream_reset", 14, true},
    {"upstream_protocol", 502, kServerError, "upstream_protocol_error", 13, true},
    {"upstream_timeout", 504, kServerError, "upstream_timeout", 4, true},
    {"config", 500, kServerError, "configuration_error", 9, false},
    {"io", 500, kServerError, "io_error", 13, false},
    {"corrupt", 500, kServerError, "corrupt_data", 15, false},
    {"http_version", 505, kRequestError, "http_version_not_supported", 12, false},
    {"unsupported", 501, kRequestError, "unsupported", 12, false},
    {"internal", 500, kServerError, "internal_error", 13, false},
}};

}  // namespace

const CodeTraits& traits(Code code) {
  const auto index = static_cast<std::size_t>(code);
  SBX_ASSERT(index < kTraits.size());
  return kTraits[index];
}

}  // namespace signalbox
