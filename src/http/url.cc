#include "http/url.h"

#include "base/text.h"
#include "http/syntax.h"

namespace signalbox::http {
namespace {

constexpr Code kBad = Code::kInvalidArgument;

Result<net::Address> parse_authority(std::string_view text, bool tls) {
  net::Address address;
  address.tls = tls;
  address.port = tls ? 443 : 80;
  std::string_view rest;
  if (text.starts_with('[')) {
    const auto close = text.find(']');
    if (close == std::string_view::npos) return fail(kBad, "URL: '[' without ']'");
    address.host = text.substr(1, close - 1);
    rest = text.substr(close + 1);
    if (address.host.find_first_not_of("0123456789abcdefABCDEF:.") != std::string::npos) {
      return fail(kBad, "URL: not an IPv6 address");
    }
  } else {
    address.host = text.substr(0, text.find(':'));
    rest = text.substr(address.host.size());
    if (!is_host(address.host)) return fail(kBad, "URL: forbidden character in the host");
  }
  if (address.host.empty()) return fail(kBad, "URL: no host");
  if (rest.empty()) return address;
  const auto port = rest.front() == ':' ? parse_uint(rest.substr(1)) : std::nullopt;
  if (!port || *port == 0 || *port > 65535) return fail(kBad, "URL: port must be 1..65535");
  address.port = static_cast<std::uint16_t>(*port);
  return address;
}

}  // namespace

Result<Url> parse_url(std::string_view text) {
  const auto scheme_end = text.find("://");
  if (scheme_end == std::string_view::npos)
    return fail(kBad, "URL: http:// or https:// is missing");
  const auto scheme = to_lower(text.substr(0, scheme_end));
  if (scheme != "http" && scheme != "https") return fail(kBad, "URL: scheme must be http or https");
  text.remove_prefix(scheme_end + 3);
  text = text.substr(0, text.find('#'));
  const auto authority = text.substr(0, text.find_first_of("/?"));
  if (authority.find('@') != std::string_view::npos)
    return fail(kBad, "URL: user information is not accepted");
  Url url;
  SBX_TRY(url.address, parse_authority(authority, scheme == "https"));
  url.target = text.substr(authority.size());
  if (!url.target.starts_with('/')) url.target.insert(0, "/");
  if (!is_target(url.target)) return fail(kBad, "URL: forbidden character in the path");
  return url;
}

}  // namespace signalbox::http
