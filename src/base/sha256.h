// SHA-256 (FIPS 180-4), for names that other programs make with it: LMCache's chunks. Secrets and signatures use OpenSSL's,
// in net/.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace signalbox {

using Sha256 = std::array<std::uint8_t, 32>;

// O(bytes).
Sha256 sha256(std::string_view bytes);

}  // namespace signalbox
