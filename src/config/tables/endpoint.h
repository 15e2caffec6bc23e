// Addresses of backends: host:port, [v6]:port and base URLs.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "config/model.h"
#include "config/tables/field.h"

namespace signalbox::config {

// Parts of "scheme://host:port/path"; scheme, port and path are optional. Port 0: not given.
struct Address {
  std::string scheme;
  std::string host;  // without brackets
  std::uint16_t port = 0;
  std::string path;  // no trailing slash
};
// Nothing when it is not an address: empty host, a port that is no number, user information, spaces.
std::optional<Address> parse_address(std::string_view text);

// Row functions of BackendRef.
void read_endpoint(Reader& reader, const Field& field, const Node& node, BackendRef& out);
void read_base_url(Reader& reader, const Field& field, const Node& node, BackendRef& out);
// Defaults by provider, the key from its variable, and base_url + chat_path to what the client needs.
void finish_backend(Reader& reader, const Node& node, void* backend_ref);

}  // namespace signalbox::config
