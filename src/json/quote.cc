#include "json/scan.h"
#include "json/splice.h"
#include "json/utf8.h"

namespace signalbox::json {
namespace {

void append_escaped_byte(std::string& out, char c) {
  switch (c) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\b':
      out += "\\b";
      return;
    case '\f':
      out += "\\f";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      constexpr std::string_view kHex = "0123456789abcdef";
      out += "\\u00";
      out.push_back(kHex[static_cast<unsigned char>(c) >> 4]);
      out.push_back(kHex[static_cast<unsigned char>(c) & 0xF]);
  }
}

void append_escaped(std::string& out, std::string_view text) {
  std::size_t position = 0;
  while (position < text.size()) {
    const std::size_t special = find_special(text, position);
    out.append(text.substr(position, special - position));
    if (special == text.size()) return;
    append_escaped_byte(out, text[special]);
    position = special + 1;
  }
}

}  // namespace

void append_quoted(std::string& out, std::string_view text) {
  out.push_back('"');
  // Bytes that are not UTF-8 (a header value in an error message) must not make our own answer invalid.
  if (!is_utf8(text)) {
    for (std::size_t valid = utf8_prefix(text); valid < text.size(); valid = utf8_prefix(text)) {
      append_escaped(out, text.substr(0, valid));
      append_utf8(out, 0xFFFD);
      text.remove_prefix(valid + 1);
    }
  }
  append_escaped(out, text);
  out.push_back('"');
}

std::string quote(std::string_view text) {
  std::string out;
  out.reserve(text.size() + 2);
  append_quoted(out, text);
  return out;
}

}  // namespace signalbox::json
