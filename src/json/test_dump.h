// One line that says what a JSON text means, for comparison with another parser: null as n, booleans t and f, numbers as #
// and their text, strings as the hexadecimal bytes of their unescaped text in quotes, arrays [a,b], objects {"key":value}
// with every member in file order. For tests only.
#pragma once

#include <string>

#include "json/document.h"

namespace signalbox::json {

inline void dump_string(const std::string& text, std::string& out) {
  constexpr std::string_view kHex = "0123456789abcdef";
  out.push_back('"');
  for (const char c : text) {
    out.push_back(kHex[static_cast<unsigned char>(c) >> 4]);
    out.push_back(kHex[static_cast<unsigned char>(c) & 0xF]);
  }
  out.push_back('"');
}

// Recursion is bounded by limits::kJsonDepthMax.
inline void dump(Value value, std::string& out) {
  switch (value.type()) {
    case Type::kNull:
      out.push_back('n');
      return;
    case Type::kTrue:
      out.push_back('t');
      return;
    case Type::kFalse:
      out.push_back('f');
      return;
    case Type::kNumber:
      out.append("#").append(value.raw());
      return;
    case Type::kString:
      dump_string(value.string(), out);
      return;
    case Type::kArray:
    case Type::kObject:
      break;
  }
  const char* separator = "";
  out.push_back(value.is_object() ? '{' : '[');
  for (const Value::Member& member : value.member_range()) {
    out.append(separator);
    dump_string(member.key.string(), out);
    out.push_back(':');
    dump(member.value, out);
    separator = ",";
  }
  for (const Value element : value.element_range()) {
    out.append(separator);
    dump(element, out);
    separator = ",";
  }
  out.push_back(value.is_object() ? '}' : ']');
}

// "A <dump>" for a text we accept, "R" for one we refuse.
inline std::string verdict(std::string_view text) {
  const Result<Document> document = Document::parse(text);
  if (!document) return "R";
  std::string out = "A ";
  dump(document->root(), out);
  return out;
}

}  // namespace signalbox::json
