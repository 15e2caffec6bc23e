#include "json/unescape.h"

#include <cstdint>

#include "json/utf8.h"

namespace signalbox::json {
namespace {

std::uint32_t hex_value(char c) {
  if (c <= '9') return static_cast<std::uint32_t>(c - '0');
  return static_cast<std::uint32_t>((c | 0x20) - 'a' + 10);
}

// The four digits after "\u" at `position`.
std::uint32_t code_unit(std::string_view raw, std::size_t position) {
  std::uint32_t unit = 0;
  for (std::size_t i = 2; i < 6; ++i) unit = unit << 4 | hex_value(raw[position + i]);
  return unit;
}

bool is_high_surrogate(std::uint32_t unit) { return unit >= 0xD800 && unit <= 0xDBFF; }
bool is_low_surrogate(std::uint32_t unit) { return unit >= 0xDC00 && unit <= 0xDFFF; }

char simple_escape(char c) {
  switch (c) {
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    default:
      return c;
  }
}

// Appends what the escape at `position` stands for; returns the offset behind it.
std::size_t append_escape(std::string& out, std::string_view raw, std::size_t position) {
  if (raw[position + 1] != 'u') {
    out.push_back(simple_escape(raw[position + 1]));
    return position + 2;
  }
  const std::uint32_t first = code_unit(raw, position);
  position += 6;
  if (is_high_surrogate(first) && raw.substr(position, 2) == "\\u") {
    const std::uint32_t second = code_unit(raw, position);
    if (is_low_surrogate(second)) {
      append_utf8(out, 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00));
      return position + 6;
    }
  }
  append_utf8(out, first);
  return position;
}

}  // namespace

void append_unescaped(std::string& out, std::string_view raw) {
  std::size_t position = 0;
  while (position < raw.size()) {
    const std::size_t backslash = raw.find('\\', position);
    out.append(raw.substr(position, backslash - position));
    if (backslash == std::string_view::npos) return;
    position = append_escape(out, raw, backslash);
  }
}

}  // namespace signalbox::json
