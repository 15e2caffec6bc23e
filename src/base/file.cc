#include "base/file.h"

#include <fmt/core.h>

#include <cerrno>
#include <cstring>
#include <fstream>

namespace signalbox {

Result<std::string> read_file(const std::string& path, std::uint64_t bytes_max) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return fail(Code::kIo, fmt::format("cannot open {}: {}", path, std::strerror(errno)));
  std::string content;
  char chunk[1 << 16];
  while (in.read(chunk, sizeof chunk), in.gcount() > 0) {
    content.append(chunk, static_cast<std::size_t>(in.gcount()));
    if (content.size() > bytes_max) {
      return fail(Code::kPayloadTooLarge,
                  fmt::format("{} is larger than {} bytes", path, bytes_max));
    }
  }
  if (in.bad())
    return fail(Code::kIo, fmt::format("cannot read {}: {}", path, std::strerror(errno)));
  return content;
}

}  // namespace signalbox
