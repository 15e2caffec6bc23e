// IPv4 and IPv6 addresses in text.
#include <algorithm>

#include "pii/scan.h"

namespace signalbox::pii {
namespace {

constexpr bool is_hex(char c) { return is_digit(c) || (to_lower(c) >= 'a' && to_lower(c) <= 'f'); }

// Bytes of a dotted quad at `begin`, 0 if there is none.
std::size_t ipv4_bytes(std::string_view text, std::size_t begin) {
  std::size_t at = begin;
  for (int part = 0; part < 4; ++part) {
    if (part > 0 && at_or_nul(text, at++) != '.') return 0;
    int value = 0;
    std::size_t digits = 0;
    for (; digits < 4 && is_digit(at_or_nul(text, at)); ++at, ++digits)
      value = value * 10 + (text[at] - '0');
    if (digits == 0 || digits > 3 || value > 255) return 0;
  }
  return at - begin;
}

bool inside_more(std::string_view text, std::size_t begin, std::size_t end) {
  const char before = begin > 0 ? text[begin - 1] : '\0', after = at_or_nul(text, end);
  if (is_word_byte(before) || is_word_byte(after)) return true;
  if (before == '.' && begin > 1 && is_word_byte(text[begin - 2])) return true;
  return after == '.' && is_word_byte(at_or_nul(text, end + 1));
}

struct Ipv6 {
  std::size_t end = 0;
  int groups = 0;
  bool compressed = false;
};

// As far as hexadecimal groups and colons go, by the grammar of RFC 4291.
Ipv6 read_ipv6(std::string_view text, std::size_t begin) {
  Ipv6 read{.end = begin};
  std::size_t at = begin;
  if (text.substr(at).starts_with("::")) {
    read.compressed = true;
    read.end = at += 2;
  }
  while (read.groups < 8) {
    if (const std::size_t quad = ipv4_bytes(text, at); quad > 0 && read.groups > 0) {
      read.groups += 2;
      read.end = at + quad;
      break;
    }
    std::size_t digits = 0;
    while (digits < 5 && is_hex(at_or_nul(text, at + digits))) ++digits;
    if (digits == 0 || digits > 4) break;
    ++read.groups;
    read.end = at += digits;
    if (at_or_nul(text, at) != ':') break;
    ++at;
    if (at_or_nul(text, at) != ':') continue;
    if (read.compressed) break;
    read.compressed = true;
    read.end = ++at;
  }
  return read;
}

// Bytes of an IPv6 address at `begin`, 0 if there is none.
std::size_t ipv6_bytes(std::string_view text, std::size_t begin) {
  const Ipv6 read = read_ipv6(text, begin);
  const bool complete = read.compressed ? read.groups <= 7 : read.groups == 8;
  // "::" alone and "a::b" are C++ more often than addresses.
  if (!complete || (read.compressed && read.groups < 1)) return 0;
  const std::string_view found = text.substr(begin, read.end - begin);
  const bool has_digit = std::ranges::any_of(found, is_digit);
  return has_digit && found.size() >= 3 && at_or_nul(text, read.end) != ':' ? found.size() : 0;
}

}  // namespace

void find_ip_addresses(std::string_view text, std::vector<Entity>& out) {
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (!is_hex(text[at]) && text[at] != ':') continue;
    const bool starts = at == 0 || (!is_word_byte(text[at - 1]) && text[at - 1] != ':');
    if (!starts) continue;
    std::size_t bytes = is_digit(text[at]) ? ipv4_bytes(text, at) : 0;
    if (bytes == 0) bytes = ipv6_bytes(text, at);
    if (bytes == 0 || inside_more(text, at, at + bytes)) continue;
    out.push_back({at, at + bytes, Type::kIpAddress, 0.97f, Source::kRule});
    at += bytes - 1;
  }
}

}  // namespace signalbox::pii
