// E-mail addresses, URLs and host names.
#include <algorithm>
#include <array>
#include <optional>
#include <string>

#include "pii/scan.h"

namespace signalbox::pii {
namespace {

constexpr std::size_t kLocalBytesMax = 64, kHostBytesMax = 253,
                      kUrlBytesMax = 2048;  // RFC 5321, 1035

// Sorted. Top-level domains that are seldom anything else in a text.
constexpr std::array<std::string_view, 104> kPlainSuffixes{
    "academy", "ae",         "africa",    "agency", "ai",   "app",     "ar",    "arpa",  "asia",
    "at",      "au",         "be",        "berlin", "bg",   "biz",     "blog",  "br",    "bz",
    "ca",      "cc",         "center",    "ch",     "cl",   "cloud",   "club",  "cn",    "co",
    "com",     "consulting", "cz",        "de",     "dev",  "digital", "dk",    "edu",   "ee",
    "es",      "eu",         "example",   "fi",     "fm",   "fr",      "gg",    "gov",   "gr",
    "gu",      "hk",         "hr",        "hu",     "ie",   "il",      "info",  "int",   "internal",
    "invalid", "io",         "ir",        "jobs",   "jp",   "ke",      "kr",    "life",  "link",
    "live",    "local",      "localhost", "london", "lt",   "lu",      "lv",    "ly",    "mil",
    "mobi",    "museum",     "mx",        "my",     "net",  "network", "ng",    "nl",    "nu",
    "nz",      "online",     "org",       "pe",     "ph",   "pk",      "pro",   "pt",    "ro",
    "ru",      "se",         "sg",        "shop",   "site", "sk",      "space", "store", "tech",
    "test",    "tr",         "tv",        "uk",     "xyz"};
static_assert(std::ranges::is_sorted(kPlainSuffixes));
// Those that are also words, file extensions or abbreviations: only behind "www.", "@", a scheme, or
// with a host of three labels.
constexpr std::array<std::string_view, 39> kDoubtfulSuffixes{
    "am", "cat", "do",   "email", "gl",  "id",     "im", "in", "is", "it", "la", "lk",  "md",
    "me", "mov", "name", "news",  "no",  "pl",     "pm", "ps", "py", "rs", "sc", "sh",  "si",
    "so", "sql", "th",   "to",    "top", "travel", "tw", "ua", "us", "vn", "za", "zip", "zone"};
static_assert(std::ranges::is_sorted(kDoubtfulSuffixes));
// Product names that end like a host.
constexpr std::array<std::string_view, 6> kProducts{"ado.net", "asp.net",   "chart.io",
                                                    "ml.net",  "socket.io", "vb.net"};

constexpr bool is_local_char(char c) {
  constexpr std::string_view kMarks = ".!#$%&'*+/=?^_`{|}~-";
  return is_word_byte(c) || kMarks.find(c) != std::string_view::npos;
}
constexpr bool is_host_char(char c) { return is_word_byte(c) || c == '-' || c == '.'; }

std::string lowered(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), to_lower);
  return out;
}

std::string last_label(std::string_view host) {
  const std::size_t dot = host.rfind('.');
  return dot == std::string_view::npos ? std::string() : lowered(host.substr(dot + 1));
}

// Every label is 1 to 63 characters and neither starts nor ends in a dash; at least two labels.
bool well_formed_host(std::string_view host) {
  if (host.size() > kHostBytesMax || host.find('.') == std::string_view::npos) return false;
  std::size_t begin = 0;
  while (begin <= host.size()) {
    const std::size_t end = std::min(host.find('.', begin), host.size());
    const std::string_view label = host.substr(begin, end - begin);
    if (label.empty() || label.size() > 63 || label.front() == '-' || label.back() == '-')
      return false;
    begin = end + 1;
  }
  return true;
}

// Where a host ends that starts at `begin`; final dots and dashes are punctuation.
std::size_t host_end(std::string_view text, std::size_t begin) {
  std::size_t end = begin;
  while (end - begin <= kHostBytesMax && end < text.size() && is_host_char(text[end])) ++end;
  while (end > begin && (text[end - 1] == '.' || text[end - 1] == '-')) --end;
  return end;
}

// Where a URL ends that starts at `begin`: at white space, quotes and brackets that close around it.
std::size_t url_end(std::string_view text, std::size_t begin) {
  constexpr std::string_view kStops = " \t\r\n\"<>`|\\^{}", kTrailing = ".,;:!?)]'*";
  std::size_t end = begin;
  while (end - begin < kUrlBytesMax && end < text.size() &&
         kStops.find(text[end]) == std::string_view::npos)
    ++end;
  while (end > begin && kTrailing.find(text[end - 1]) != std::string_view::npos) {
    const std::string_view url = text.substr(begin, end - begin);
    if (text[end - 1] == ')' && std::ranges::count(url, '(') >= std::ranges::count(url, ')')) break;
    --end;
  }
  while (end < text.size() && end > begin && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80)
    ++end;
  return end;
}

// "://" at `at`: the scheme's begin, if it is one that people write.
std::optional<std::size_t> scheme_begin(std::string_view text, std::size_t at) {
  constexpr std::array<std::string_view, 5> kSchemes{"https", "http", "ftp", "wss", "ws"};
  for (const std::string_view scheme : kSchemes) {
    if (at < scheme.size()) continue;
    const std::size_t begin = at - scheme.size();
    if (lowered(text.substr(begin, scheme.size())) == scheme &&
        (begin == 0 || !is_letter(text[begin - 1])))
      return begin;
  }
  return std::nullopt;
}

struct Dotted {
  std::size_t begin, end;
};

// The run of host characters around the dot at `at`.
Dotted dotted_around(std::string_view text, std::size_t at) {
  std::size_t begin = at;
  while (begin > 0 && at - begin <= kHostBytesMax && is_host_char(text[begin - 1])) --begin;
  while (begin < at && (text[begin] == '-' || text[begin] == '.')) ++begin;
  return {begin, host_end(text, begin)};
}

bool is_bare_host(std::string_view text, const Dotted& dotted) {
  const std::string_view host = text.substr(dotted.begin, dotted.end - dotted.begin);
  const char before = dotted.begin > 0 ? text[dotted.begin - 1] : '\0',
             after = at_or_nul(text, dotted.end);
  if (before == '@' || after == '@' || before == '_' || after == '_' || after == '(') return false;
  if (!well_formed_host(host)) return false;
  const std::size_t dot = host.find('.');
  const bool several = host.find('.', dot + 1) != std::string_view::npos;
  if (!has_known_suffix(host, !several && !host.starts_with("www."))) return false;
  const std::string small = lowered(host);
  if (std::ranges::find(kProducts, small) != kProducts.end()) return false;
  // "...the end.Com" is a missing space; a host is written in one case or starts with a capital.
  const std::string_view suffix = host.substr(host.rfind('.') + 1);
  if (is_upper(suffix.front()) && suffix.size() > 1 && !is_upper(suffix[1])) return false;
  return dot >= 2 || several;
}

}  // namespace

bool has_known_suffix(std::string_view host, bool plain) {
  const std::string label = last_label(host);
  if (std::ranges::binary_search(kPlainSuffixes, std::string_view(label))) return true;
  return !plain && std::ranges::binary_search(kDoubtfulSuffixes, std::string_view(label));
}

void find_emails(std::string_view text, std::vector<Entity>& out) {
  for (std::size_t at = text.find('@'); at != std::string_view::npos; at = text.find('@', at + 1)) {
    std::size_t begin = at;
    while (begin > 0 && at - begin < kLocalBytesMax && is_local_char(text[begin - 1])) --begin;
    // Marks that quote or separate more often than they name: "user=a@b.c", "'a@b.c'", "x/a@b.c".
    const std::size_t mark = text.substr(begin, at - begin).find_last_of("=/'`|{}#&?!*$");
    if (mark != std::string_view::npos) begin += mark + 1;
    while (begin < at && (text[begin] == '.' || text[begin] == '-' ||
                          (static_cast<unsigned char>(text[begin]) & 0xC0) == 0x80))
      ++begin;
    const std::size_t end = host_end(text, at + 1);
    const std::string_view host = text.substr(at + 1, end - at - 1);
    if (begin == at || text[at - 1] == '.' || !well_formed_host(host)) continue;
    if (last_label(host).size() < 2 || is_digit(last_label(host).front())) continue;
    out.push_back({begin, end, Type::kEmailAddress, 0.99f, Source::kRule});
  }
}

void find_domains(std::string_view text, std::vector<Entity>& out) {
  std::size_t done = 0;  // nothing before here is looked at again
  for (std::size_t at = text.find_first_of(".:"); at != std::string_view::npos;
       at = text.find_first_of(".:", at + 1)) {
    if (at < done) continue;
    if (text.substr(at).starts_with("://")) {
      const auto begin = scheme_begin(text, at);
      const std::size_t end = url_end(text, at + 3);
      if (!begin || *begin < done || end <= at + 4) continue;
      out.push_back({*begin, end, Type::kDomainName, 0.97f, Source::kRule});
      done = end;
    } else if (text[at] == '.') {
      const Dotted dotted = dotted_around(text, at);
      if (dotted.begin < done || dotted.end <= at || !is_bare_host(text, dotted)) {
        done = std::max(done, dotted.end);
        continue;
      }
      const char after = at_or_nul(text, dotted.end);
      const bool goes_on =
          after == '/' || (after == ':' && is_digit(at_or_nul(text, dotted.end + 1)));
      const std::size_t end =
          goes_on ? std::max(dotted.end, url_end(text, dotted.end)) : dotted.end;
      out.push_back({dotted.begin, end, Type::kDomainName, 0.9f, Source::kRule});
      done = end;
    }
  }
}

}  // namespace signalbox::pii
