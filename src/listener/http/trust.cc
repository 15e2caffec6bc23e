#include "listener/http/trust.h"

#include <arpa/inet.h>
#include <fmt/core.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "base/text.h"

namespace signalbox::listener {
namespace {

using Bytes = std::array<std::uint8_t, 16>;
constexpr int kMappedBits = 96;

// An IP literal as 16 bytes (IPv4 mapped), and whether it was IPv4.
std::optional<std::pair<Bytes, bool>> to_bytes(const std::string& address) {
  Bytes bytes{};
  if (inet_pton(AF_INET6, address.c_str(), bytes.data()) == 1) return std::pair{bytes, false};
  in_addr v4{};
  if (inet_pton(AF_INET, address.c_str(), &v4) != 1) return std::nullopt;
  bytes = {};
  bytes[10] = bytes[11] = 0xff;
  std::memcpy(bytes.data() + 12, &v4, 4);
  return std::pair{bytes, true};
}

bool same_prefix(const Bytes& a, const Bytes& b, int bits) {
  const auto whole = static_cast<std::size_t>(bits / 8);
  if (!std::equal(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(whole), b.begin()))
    return false;
  const int rest = bits % 8;
  if (rest == 0) return true;
  const auto mask = static_cast<std::uint8_t>(0xff << (8 - rest));
  return (a[whole] & mask) == (b[whole] & mask);
}

}  // namespace

bool is_ip_literal(const std::string& address) { return to_bytes(address).has_value(); }

Result<TrustedPeers> TrustedPeers::parse(std::span<const std::string> networks) {
  TrustedPeers peers;
  for (const auto& text : networks) {
    const auto slash = text.find('/');
    const auto parsed = to_bytes(text.substr(0, slash));
    if (!parsed)
      return fail(Code::kConfig,
                  fmt::format("trusted_peers: '{}' is not an IP address or CIDR", text));
    const auto [bytes, is_v4] = *parsed;
    std::uint64_t bits = is_v4 ? 32 : 128;
    if (slash != std::string::npos) {
      const auto length = parse_uint(std::string_view(text).substr(slash + 1));
      if (!length || *length > bits) {
        return fail(
            Code::kConfig,
            fmt::format("trusted_peers: '{}' has no valid prefix length (0 to {})", text, bits));
      }
      bits = *length;
    }
    peers.networks_.push_back({bytes, static_cast<int>(bits) + (is_v4 ? kMappedBits : 0)});
  }
  return peers;
}

bool TrustedPeers::contains(std::string_view address) const {
  if (networks_.empty()) return false;
  const auto parsed = to_bytes(std::string(address));
  if (!parsed) return false;
  return std::any_of(networks_.begin(), networks_.end(), [&](const Network& network) {
    return same_prefix(parsed->first, network.prefix, network.bits);
  });
}

}  // namespace signalbox::listener
