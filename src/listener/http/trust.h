// Which peers may speak for users. Identity headers count only when the connection comes from a listed network; none is
// listed by default.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace signalbox::listener {

bool is_ip_literal(const std::string& address);

class TrustedPeers {
 public:
  // Entries like "10.0.0.0/8", "::1", "fd00::/8". Errors: kConfig naming the entry.
  static Result<TrustedPeers> parse(std::span<const std::string> networks);
  // True if the IP literal lies in one of the networks. O(networks).
  bool contains(std::string_view address) const;

 private:
  struct Network {
    std::array<std::uint8_t, 16> prefix{};  // IPv4 as v4-mapped
    int bits = 128;
  };
  std::vector<Network> networks_;
};

}  // namespace signalbox::listener
