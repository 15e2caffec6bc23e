// How a backend wants to be asked: the headers that authenticate us to it.
#pragma once

#include "config/model.h"
#include "http/headers.h"

namespace signalbox::upstream {

// Sets the authentication header of a backend that has a key, and its extra headers. Defaults by provider (facts of the
// semantic router's provider profiles): anthropic "x-api-key: KEY", azure-openai "api-key: KEY", all others
// "Authorization: Bearer KEY"; auth_header and auth_prefix override. A client's own credentials are replaced only then.
void add_credentials(const config::BackendRef& backend, http::Headers& headers);

// The same for a question of our own: where clients bring their keys themselves, the probe key.
void add_probe_credentials(const config::BackendRef& backend, http::Headers& headers);

}  // namespace signalbox::upstream
