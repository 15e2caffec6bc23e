// Event streams from arbitrary bytes: the same frames however the stream is cut. The first byte gives the size of the
// pieces.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/assert.h"
#include "http/sse.h"

namespace {

std::vector<std::string> frames(std::string_view stream, std::size_t piece_bytes) {
  signalbox::http::SseReader reader;
  std::vector<std::string> out;
  const auto keep = [&](const signalbox::http::SseFrame& frame, std::size_t begin) {
    out.push_back(std::to_string(begin + frame.end) + '|' + std::string(frame.event) + '|' +
                  std::string(frame.id) + '|' + std::string(frame.data));
  };
  for (std::size_t at = 0; at < stream.size(); at += piece_bytes) {
    const std::string piece(stream.substr(at, piece_bytes));
    reader.feed(piece);
    while (const auto frame = reader.next()) keep(*frame, at);
    reader.feed({});
  }
  if (const auto frame = reader.finish()) keep(*frame, stream.size());
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view stream(reinterpret_cast<const char*>(data) + 1, size - 1);
  SBX_ASSERT(frames(stream, std::max<std::size_t>(1, data[0])) == frames(stream, size));
  return 0;
}
