// header_mutation: adds, sets and removes headers of the request that goes upstream.
#pragma once

#include <string_view>

#include "base/error.h"
#include "config/model.h"
#include "exchange/exchange.h"

namespace signalbox::plugins {

// `add` joins its value to those the client sent under that name ("old, new", RFC 9110 section 5.3), `update` replaces
// them, `remove` drops them. Errors: kConfig for a name that is_mutable_header refuses or a value with control characters.
Result<void> mutate_headers(const config::HeaderMutationPlugin& plugin,
                            const exchange::ClientRequest& client, exchange::Edits& edits);

// False for names that are no token, that frame the message or the connection (RFC 9110 section 7.6.1, host,
// content-length, expect), and for headers that only Signalbox itself sets (x-signalbox-*, x-vsr-*, x-selected-model).
bool is_mutable_header(std::string_view name);

}  // namespace signalbox::plugins
