// Forms from arbitrary bytes: every field lies inside the body, in order, and never holds its own boundary.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/assert.h"
#include "http/multipart.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  const auto fields = signalbox::http::read_form("multipart/form-data; boundary=x", body);
  if (!fields) return 0;
  std::size_t before = 0;
  for (const auto& field : *fields) {
    SBX_ASSERT(before <= field.begin && field.begin <= field.end && field.end <= size);
    SBX_ASSERT(!body.substr(field.begin, field.end - field.begin).contains("\r\n--x"));
    before = field.end;
  }
  return 0;
}
