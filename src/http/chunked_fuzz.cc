// Chunked bodies from arbitrary bytes: all three readers agree on payload, end and refusal. The first byte gives the
// size of the pieces.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/assert.h"
#include "http/chunked.h"

namespace {

using signalbox::Code;
using signalbox::http::ChunkDecoder;
using signalbox::http::ChunkScanner;

struct Outcome {
  std::string payload;
  std::size_t consumed = 0;
  bool failed = false;
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

Outcome decode(std::string_view text, std::size_t piece_bytes) {
  ChunkDecoder decoder(Code::kInvalidArgument);
  Outcome out;
  while (out.consumed < text.size() && !decoder.done()) {
    const auto step = decoder.next(text.substr(out.consumed, piece_bytes));
    if (!step) return {"", 0, true};
    out.payload += step->payload;
    out.consumed += step->consumed;
  }
  return out;
}

Outcome compact(std::string_view text, std::size_t piece_bytes) {
  ChunkDecoder decoder(Code::kInvalidArgument);
  Outcome out;
  while (out.consumed < text.size() && !decoder.done()) {
    std::string piece(text.substr(out.consumed, piece_bytes));
    const auto run = decoder.compact(piece);
    if (!run) return {"", 0, true};
    out.payload += run->payload;
    out.consumed += run->consumed;
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::size_t piece_bytes = std::max<std::size_t>(1, data[0]);
  const auto whole = decode(text, text.size() + 1);
  SBX_ASSERT(decode(text, piece_bytes) == whole);
  SBX_ASSERT(compact(text, piece_bytes) == whole);
  ChunkScanner scanner(Code::kInvalidArgument);
  const auto end = scanner.scan(text);
  SBX_ASSERT(end.has_value() == !whole.failed);
  if (end) SBX_ASSERT(*end == whole.consumed);
  return 0;
}
