#include "upstream/credentials.h"

#include <array>
#include <string>

#include "base/text.h"

namespace signalbox::upstream {
namespace {

constexpr std::string_view kAuthorization = "Authorization";

constexpr std::array<std::string_view, 3> kCredentialHeaders = {kAuthorization, "x-api-key",
                                                                "api-key"};

struct Scheme {
  std::string header;
  std::string prefix;  // with its space; empty: the bare key
};

Scheme scheme_of(const config::BackendRef& backend) {
  Scheme scheme{std::string(kAuthorization), "Bearer "};
  if (backend.provider == "anthropic") scheme = {"x-api-key", ""};
  if (backend.provider == "azure-openai") scheme = {"api-key", ""};
  if (!backend.auth_header.empty() && !equal_ignore_case(backend.auth_header, scheme.header)) {
    scheme = {backend.auth_header, ""};
  }
  if (!backend.auth_prefix.empty()) scheme.prefix = backend.auth_prefix + " ";
  return scheme;
}

}  // namespace

void add_credentials(const config::BackendRef& backend, http::Headers& headers) {
  if (!backend.api_key.empty()) {
    const Scheme scheme = scheme_of(backend);
    // A client's own key is meant for someone else: no provider shall see another's.
    for (const std::string_view name : kCredentialHeaders) headers.remove(name);
    headers.set(scheme.header, scheme.prefix + backend.api_key.reveal());
  }
  for (const auto& [name, value] : backend.extra_headers) headers.set(name, value);
}

void add_probe_credentials(const config::BackendRef& backend, http::Headers& headers) {
  if (!backend.probe_key.empty())
    headers.set(kAuthorization, "Bearer " + backend.probe_key.reveal());
  add_credentials(backend, headers);
}

}  // namespace signalbox::upstream
