#include "config/tables/endpoint.h"

#include <fmt/core.h>

#include "base/text.h"

namespace signalbox::config {
namespace {

constexpr std::uint16_t kHttpPort = 80;
constexpr std::uint16_t kHttpsPort = 443;

bool read_address(Reader& reader, const Node& node, BackendRef& out) {
  const auto text = reader.text(node);
  if (!text) return false;
  auto address = parse_address(*text);
  if (!address) {
    reader.error("bad-address", node.mark, fmt::format("'{}' is not an address", *text),
                 "write host:port, [v6]:port or http(s)://host:port/path");
    return false;
  }
  if (!address->scheme.empty()) out.scheme = address->scheme;
  out.host = std::move(address->host);
  out.port = address->port;
  out.base_path = std::move(address->path);
  return true;
}

// base_url ends where the provider's own paths begin, often with /v1; our base_path ends before /v1.
void finish_path(const Node& node, BackendRef& backend) {
  constexpr std::string_view kVersion = "/v1";
  const bool versioned = backend.base_path.ends_with(kVersion);
  if (versioned) backend.base_path.resize(backend.base_path.size() - kVersion.size());
  if (node.find("base_url") == nullptr) return;
  if (!backend.chat_path.empty()) {
    if (!backend.chat_path.starts_with('/')) backend.chat_path.insert(0, "/");
    if (versioned) backend.chat_path.insert(0, kVersion);
  } else if (!versioned && !backend.base_path.empty() && backend.provider != "anthropic") {
    backend.chat_path = "/chat/completions";
  }
}

void finish_auth(const Node& node, BackendRef& backend) {
  if (backend.auth_header.empty()) {
    if (backend.provider == "anthropic")
      backend.auth_header = "x-api-key";
    else if (backend.provider == "azure-openai")
      backend.auth_header = "api-key";
    else
      backend.auth_header = "Authorization";
  }
  if (node.entry("auth_prefix") == nullptr &&
      equal_ignore_case(backend.auth_header, "authorization")) {
    backend.auth_prefix = "Bearer";
  }
}

}  // namespace

std::optional<Address> parse_address(std::string_view text) {
  Address address;
  if (const auto scheme = text.find("://"); scheme != std::string_view::npos) {
    address.scheme = to_lower(text.substr(0, scheme));
    if (address.scheme != "http" && address.scheme != "https") return std::nullopt;
    text.remove_prefix(scheme + 3);
  }
  if (text.find_first_of(" \t\r\n@?#\\") != std::string_view::npos) return std::nullopt;
  const auto slash = text.find('/');
  if (slash != std::string_view::npos) {
    address.path = std::string(text.substr(slash));
    while (address.path.ends_with('/')) address.path.pop_back();
    text = text.substr(0, slash);
  }
  std::string_view port;
  if (text.starts_with('[')) {
    const auto close = text.find(']');
    if (close == std::string_view::npos) return std::nullopt;
    address.host = std::string(text.substr(1, close - 1));
    const auto rest = text.substr(close + 1);
    if (!rest.empty() && rest[0] != ':') return std::nullopt;
    if (!rest.empty()) port = rest.substr(1);
  } else {
    const auto colon = text.find(':');
    if (colon != text.rfind(':')) return std::nullopt;  // an IPv6 literal without brackets
    address.host = std::string(text.substr(0, colon));
    if (colon != std::string_view::npos) port = text.substr(colon + 1);
    if (colon != std::string_view::npos && port.empty()) return std::nullopt;
  }
  if (address.host.empty()) return std::nullopt;
  if (port.empty()) return address;
  const auto number = parse_uint(port);
  if (!number || *number == 0 || *number > 65535) return std::nullopt;
  address.port = static_cast<std::uint16_t>(*number);
  return address;
}

void read_endpoint(Reader& reader, const Field&, const Node& node, BackendRef& out) {
  read_address(reader, node, out);
}

void read_base_url(Reader& reader, const Field&, const Node& node, BackendRef& out) {
  read_address(reader, node, out);
}

void finish_backend(Reader& reader, const Node& node, void* backend_ref) {
  auto& backend = *static_cast<BackendRef*>(backend_ref);
  if (node.find("endpoint") == nullptr && node.find("base_url") == nullptr) {
    reader.error("missing-key", node.mark, "a backend needs endpoint or base_url",
                 "add endpoint: host:port");
    return;
  }
  if (node.find("endpoint") != nullptr && node.find("base_url") != nullptr) {
    reader.error("contradiction", node.mark, "endpoint and base_url exclude one another",
                 "keep one of them");
  }
  if (const Node* key = node.find("api_key")) {
    backend.api_key_in_plain_text =
        !key->scalar.empty() && key->scalar.find("${") == std::string::npos;
  }
  backend.scheme = to_lower(backend.scheme);
  if (backend.port == 0) backend.port = backend.scheme == "https" ? kHttpsPort : kHttpPort;
  finish_path(node, backend);
  finish_auth(node, backend);
  if (backend.api_key.empty() && !backend.api_key_env.empty()) {
    backend.api_key = Secret(reader.environment(backend.api_key_env).value_or(""));
  }
}

}  // namespace signalbox::config
