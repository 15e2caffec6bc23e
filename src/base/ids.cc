#include "base/ids.h"

#include <fmt/core.h>

namespace signalbox {

std::string random_hex(Random& random, int words) {
  std::string out;
  for (int i = 0; i < words; ++i) out += fmt::format("{:016x}", random.next());
  return out;
}

}  // namespace signalbox
