#include "net/own_address.h"

#include <sys/socket.h>

#include "net/lookup.h"

namespace signalbox::net {

std::optional<std::string> own_address_towards(const std::string& ip) {
  constexpr std::uint16_t kAnyPort =
      9;  // discard; a datagram socket is told where to, and sends nothing
  const auto peer = parse_literal(ip, kAnyPort);
  if (!peer) return std::nullopt;
  const Fd fd(::socket(peer->family(), SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd || ::connect(fd.get(), peer->address(), peer->bytes) != 0) return std::nullopt;
  Endpoint own;
  own.bytes = sizeof(own.storage);
  auto* address = reinterpret_cast<sockaddr*>(&own.storage);
  if (::getsockname(fd.get(), address, &own.bytes) != 0) return std::nullopt;
  return own.host();
}

}  // namespace signalbox::net
