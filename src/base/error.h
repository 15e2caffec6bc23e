// Errors as values. One enum covers what can go wrong anywhere; one table (error.cc) says what each code means to an
// HTTP client, a gRPC peer, the retry logic and the metrics. Nothing on the data path throws.
#pragma once

#include <cstdint>
#include <expected>
#include <source_location>
#include <string>
#include <string_view>

namespace signalbox {

enum class Code : std::uint8_t {
  kInvalidArgument,    // the client's request is malformed or contradicts itself
  kModelNotFound,      // no model, alias or automatic name of that name
  kNotFound,           // no such path or object
  kMethodNotAllowed,   // path exists, method does not
  kUnauthenticated,    // missing or wrong credentials
  kPermissionDenied,   // known, but not allowed
  kRequestTimeout,     // the client was too slow to send
  kPayloadTooLarge,    // body over the limit
  kHeaderTooLarge,     // request head over the limit
  kExpectationFailed,  // an Expect header other than 100-continue
  kRateLimited,        // quota used up
  kCancelled,          // the client went away
  kOverloaded,         // a bounded queue of ours is full
  kUnavailable,        // no healthy upstream
  kUpstreamConnect,    // could not connect; nothing was sent
  kUpstreamReset,      // upstream closed or reset before the response was complete
  kUpstreamProtocol,   // upstream's answer is not HTTP as we accept it
  kUpstreamTimeout,    // upstream too slow
  kConfig,             // configuration does not load
  kIo,                 // file or socket operation failed
  kCorrupt,            // stored data is damaged or hostile (model files, indexes)
  kHttpVersion,        // an HTTP version that we do not speak
  kUnsupported,        // well-formed, but not something we do
  kInternal,           // a bug of ours
};
inline constexpr int kCodeCount = static_cast<int>(Code::kInternal) + 1;

// What a code means outside. `retryable` means: another attempt may be made if no response byte has been relayed.
struct CodeTraits {
  std::string_view label;        // metric label and log value, snake_case, stable
  int http_status;               // 100..599
  std::string_view openai_type;  // "error.type" in the JSON body
  std::string_view openai_code;  // "error.code"; empty prints null
  int grpc_status;               // google.rpc.Code
  bool retryable;
};
const CodeTraits& traits(Code code);

struct Error {
  Code code = Code::kInternal;
  std::string message;  // for the client or the operator; never holds prompt text or secrets
  std::string param;    // offending field or key, may be empty
  std::source_location at = std::source_location::current();
};

template <class T>
using Result = std::expected<T, Error>;

// `return fail(Code::kConfig, "...")` from any function that returns a Result. Cold: the compiler moves what leads here out
// of the way of what goes well.
[[nodiscard, gnu::cold]] inline std::unexpected<Error> fail(
    Code code, std::string message, std::string param = {},
    std::source_location at = std::source_location::current()) {
  return std::unexpected(Error{code, std::move(message), std::move(param), at});
}

}  // namespace signalbox

#define SBX_CONCAT_INNER(a, b) a##b
#define SBX_CONCAT(a, b) SBX_CONCAT_INNER(a, b)
// SBX_TRY(auto x, f()); declares x from the value of a Result, or returns its error. SBX_CHECK_OK(f()); for Result<void>.
// SBX_CO_TRY and SBX_CO_CHECK_OK do the same with co_return. Statements, so that co_await is legal inside.
#define SBX_TRY_IMPL(tmp, decl, expr, ret)       \
  auto tmp = (expr);                             \
  if (!tmp) [[unlikely]]                         \
    ret std::unexpected(std::move(tmp).error()); \
  decl = *std::move(tmp)
#define SBX_TRY(decl, expr) SBX_TRY_IMPL(SBX_CONCAT(sbx_try_, __LINE__), decl, expr, return)
#define SBX_CO_TRY(decl, expr) SBX_TRY_IMPL(SBX_CONCAT(sbx_try_, __LINE__), decl, expr, co_return)
#define SBX_CHECK_OK(expr)                                \
  if (auto sbx_status = (expr); !sbx_status) [[unlikely]] \
  return std::unexpected(std::move(sbx_status).error())
#define SBX_CO_CHECK_OK(expr)                             \
  if (auto sbx_status = (expr); !sbx_status) [[unlikely]] \
  co_return std::unexpected(std::move(sbx_status).error())
