// Request and response heads from arbitrary bytes: never crashes, and judges the same when the bytes arrive one by one.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/assert.h"
#include "http/request_head.h"
#include "http/response_head.h"

namespace signalbox::http {
namespace {

template <class Parse>
void check_splits(std::string_view text, Parse parse) {
  HeadScan whole_scan;
  const auto whole = parse(text, whole_scan);
  HeadScan scan;
  for (std::size_t size = 0; size <= text.size(); ++size) {
    const auto head = parse(text.substr(0, size), scan);
    if (!head) {
      SBX_ASSERT(!whole);
      return;
    }
    if (!*head) continue;
    SBX_ASSERT(whole && *whole && (*whole)->head_bytes == (*head)->head_bytes);
    SBX_ASSERT((*head)->head_bytes <= text.size());
    return;
  }
  SBX_ASSERT(whole && !*whole);
}

}  // namespace
}  // namespace signalbox::http

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using signalbox::http::check_splits;
  using signalbox::http::HeadScan;
  using signalbox::http::parse_request_head;
  using signalbox::http::parse_response_head;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check_splits(
      text, [](std::string_view bytes, HeadScan& scan) { return parse_request_head(bytes, scan); });
  check_splits(text, [](std::string_view bytes, HeadScan& scan) {
    return parse_response_head(bytes, scan, false);
  });
  return 0;
}
