// MD5 (RFC 1321), for compatibility only: rings of other routers place their points by it. Broken as a digest; nothing that
// an attacker must not forge may rest on it.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string_view>

namespace signalbox {

// 128 bits as a number: the first byte of the digest is the most significant, so numbers compare as hex digits do.
struct Md5 {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  auto operator<=>(const Md5&) const = default;
};

// O(bytes), about 500 MB/s.
Md5 md5(std::string_view bytes);

}  // namespace signalbox
