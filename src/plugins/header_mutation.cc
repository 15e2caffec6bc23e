#include "plugins/header_mutation.h"

#include <algorithm>
#include <array>
#include <string>

#include "base/text.h"

namespace signalbox::plugins {
namespace {

constexpr std::array<std::string_view, 13> kFixed = {"connection",
                                                     "keep-alive",
                                                     "te",
                                                     "trailer",
                                                     "transfer-encoding",
                                                     "upgrade",
                                                     "host",
                                                     "content-length",
                                                     "expect",
                                                     "x-selected-model",
                                                     "proxy-authenticate",
                                                     "proxy-authorization",
                                                     "proxy-connection"};
constexpr std::array<std::string_view, 2> kOwnPrefixes = {"x-signalbox-", "x-vsr-"};

bool is_token_char(char c) {
  const bool letter = ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z';
  const bool digit = c >= '0' && c <= '9';
  return letter || digit || std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

bool is_field_value(std::string_view value) {
  return std::ranges::none_of(value, [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < 0x20 && c != '\t') || byte == 0x7F;
  });
}

Result<void> check(std::string_view name, std::string_view value) {
  if (!is_mutable_header(name)) {
    return fail(Code::kConfig, "header_mutation may not touch this header", std::string(name));
  }
  if (!is_field_value(value)) {
    return fail(Code::kConfig, "header_mutation has a value with control characters",
                std::string(name));
  }
  return {};
}

// Values the client sent under that name, then `added`.
std::string joined(const http::Headers& headers, std::string_view name, const std::string& added) {
  std::string all;
  for (const http::Headers::Field& field : headers.fields()) {
    if (equal_ignore_case(field.name, name)) all.append(field.value).append(", ");
  }
  return all + added;
}

}  // namespace

bool is_mutable_header(std::string_view name) {
  if (name.empty() || !std::ranges::all_of(name, is_token_char)) return false;
  const std::string lower = to_lower(name);
  const bool own = std::ranges::any_of(
      kOwnPrefixes, [&](std::string_view prefix) { return lower.starts_with(prefix); });
  return !own && std::ranges::find(kFixed, lower) == kFixed.end();
}

Result<void> mutate_headers(const config::HeaderMutationPlugin& plugin,
                            const exchange::ClientRequest& client, exchange::Edits& edits) {
  for (const auto& [name, value] : plugin.add) {
    SBX_CHECK_OK(check(name, value));
    edits.headers_set.emplace_back(name, joined(client.headers, name, value));
  }
  for (const auto& [name, value] : plugin.update) {
    SBX_CHECK_OK(check(name, value));
    edits.headers_set.emplace_back(name, value);
  }
  for (const std::string& name : plugin.remove) {
    SBX_CHECK_OK(check(name, {}));
    edits.headers_removed.push_back(name);
  }
  return {};
}

}  // namespace signalbox::plugins
