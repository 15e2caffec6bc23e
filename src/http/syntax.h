// Character classes and small grammar of HTTP (RFC 9110 section 5.6, RFC 9112 section 2). Pure functions on bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace signalbox::http {

// tchar of RFC 9110 5.6.2: what method and field names are made of.
bool is_token_char(char c);
// At least one tchar and nothing else.
bool is_token(std::string_view text);
// No control bytes but HTAB; bytes from 0x80 on (obs-text) are allowed. RFC 9110 5.5.
bool is_field_value(std::string_view text);
// Visible ASCII without '#': what a request target may hold. Percent sequences are not decoded or checked.
bool is_target(std::string_view text);
// uri-host [":" port] of RFC 9110 7.2 by characters: no user info, path, space or comma. May be empty.
bool is_host(std::string_view text);
// Value of a hexadecimal digit, or nothing.
std::optional<std::uint8_t> hex_digit(char c);
// True if a comma-separated list holds the token, compared without case.
bool list_has_token(std::string_view list, std::string_view token);

}  // namespace signalbox::http
