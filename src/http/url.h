// http and https URLs of upstreams, as configuration and discovery write them.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "net/network.h"

namespace signalbox::http {

struct Url {
  net::Address address;  // port 80 or 443 unless given
  std::string target;    // path and query, at least "/"; a fragment is dropped
};

// Errors: kInvalidArgument (scheme other than http and https, user information, bad host or port). The message does not
// repeat the URL, which may hold a token.
Result<Url> parse_url(std::string_view text);

}  // namespace signalbox::http
