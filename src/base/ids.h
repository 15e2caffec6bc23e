// Request and trace identifiers.
#pragma once

#include <string>

#include "base/random.h"

namespace signalbox {

// Lower-case hexadecimal of `words` random 64-bit words (16 digits each).
std::string random_hex(Random& random, int words);

}  // namespace signalbox
