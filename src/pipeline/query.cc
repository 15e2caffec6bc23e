#include "pipeline/query.h"

#include <charconv>

namespace signalbox::pipeline {
namespace {

std::string decode(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned value = 0;
    if (text[i] == '%' && i + 2 < text.size() + 0 &&
        std::from_chars(text.data() + i + 1, text.data() + i + 3, value, 16).ptr ==
            text.data() + i + 3) {
      out += static_cast<char>(value);
      i += 2;
    } else {
      out += text[i] == '+' ? ' ' : text[i];
    }
  }
  return out;
}

template <class Fn>
void each_part(std::string_view query, Fn fn) {
  while (!query.empty()) {
    const auto end = query.find('&');
    const auto part = query.substr(0, end);
    const auto equals = part.find('=');
    fn(part, part.substr(0, equals),
       equals == std::string_view::npos ? std::string_view() : part.substr(equals + 1));
    if (end == std::string_view::npos) break;
    query.remove_prefix(end + 1);
  }
}

}  // namespace

std::optional<std::string> query_value(std::string_view query, std::string_view name) {
  std::optional<std::string> found;
  each_part(query, [&](std::string_view, std::string_view key, std::string_view value) {
    if (!found && key == name) found = decode(value);
  });
  return found;
}

std::string query_without(std::string_view query, std::string_view name) {
  std::string out;
  each_part(query, [&](std::string_view part, std::string_view key, std::string_view) {
    if (key == name || part.empty()) return;
    if (!out.empty()) out += '&';
    out += part;
  });
  return out;
}

}  // namespace signalbox::pipeline
