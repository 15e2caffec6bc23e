// Whole-file reads with a bound.
#pragma once

#include <cstdint>
#include <string>

#include "base/error.h"

namespace signalbox {

// Content of a regular file of at most `bytes_max`. Errors: kIo (missing, unreadable), kPayloadTooLarge.
Result<std::string> read_file(const std::string& path, std::uint64_t bytes_max);

}  // namespace signalbox
