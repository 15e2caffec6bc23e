#include "listener/extproc/header_edits.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace signalbox::listener {
namespace {

constexpr std::array<std::string_view, 9> kEnvoysOwn = {
    "host", "content-length", "transfer-encoding", "connection",      "keep-alive",
    "te",   "trailer",        "upgrade",           "proxy-connection"};

bool is_envoys_own(std::string_view name) {
  if (name.empty() || name.front() == ':') return true;
  return std::ranges::any_of(kEnvoysOwn,
                             [&](std::string_view own) { return equal_ignore_case(own, name); });
}

std::vector<std::string_view> values_of(const http::Headers& headers, std::string_view name) {
  std::vector<std::string_view> values;
  for (const auto& field : headers.fields()) {
    if (equal_ignore_case(field.name, name)) values.push_back(field.value);
  }
  return values;
}

// The first field of its name among fields: each name is looked at once.
bool is_first(const http::Headers& headers, const http::Headers::Field& field) {
  for (const auto& other : headers.fields()) {
    if (equal_ignore_case(other.name, field.name)) return other.line.data() == field.line.data();
  }
  return false;
}

}  // namespace

HeaderEdits header_edits(const http::Headers& before, const http::Headers& after) {
  HeaderEdits edits;
  for (const auto& field : before.fields()) {
    if (is_envoys_own(field.name) || after.has(field.name) || !is_first(before, field)) continue;
    edits.removed.push_back(to_lower(field.name));
  }
  for (const auto& field : after.fields()) {
    if (is_envoys_own(field.name) || !is_first(after, field)) continue;
    const auto values = values_of(after, field.name);
    if (values == values_of(before, field.name)) continue;
    for (const auto value : values) edits.set.emplace_back(to_lower(field.name), value);
  }
  return edits;
}

}  // namespace signalbox::listener
