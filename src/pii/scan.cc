#include "pii/scan.h"

#include <algorithm>
#include <utility>

namespace signalbox::pii {
namespace {

// More groups than any number has: longer runs are tables, and are cut.
constexpr std::size_t kSeparatorCharactersMax = 3;

bool contains_word(std::string_view window, std::string_view word, bool open_front) {
  const bool open = word.ends_with('*');
  if (open) word.remove_suffix(1);
  for (std::size_t at = window.find(word); at != std::string_view::npos;
       at = window.find(word, at + 1)) {
    const bool starts = at == 0 ? !open_front : !is_word_byte(window[at - 1]);
    const std::size_t end = at + word.size();
    if (starts && (open || end == window.size() || !is_letter(window[end]))) return true;
  }
  return false;
}

bool has_context(std::string_view window, bool open_front,
                 std::span<const std::string_view> words) {
  std::string lowered(window);
  std::ranges::transform(lowered, lowered.begin(), to_lower);
  return std::ranges::any_of(
      words, [&](std::string_view word) { return contains_word(lowered, word, open_front); });
}

// Where the next group begins if only separators stand before it, else npos.
std::size_t next_group(std::string_view text, std::size_t at, Separators allowed) {
  for (std::size_t count = 0; count <= kSeparatorCharactersMax; ++count) {
    if (is_digit(at_or_nul(text, at))) return at;
    const std::size_t bytes = separator_bytes(text, at, allowed);
    if (bytes == 0) break;
    at += bytes;
  }
  return std::string_view::npos;
}

DigitGroup group_at(std::string_view text, std::size_t begin) {
  std::size_t end = begin;
  while (is_digit(at_or_nul(text, end))) ++end;
  return {begin, end};
}

}  // namespace

// ASCII, no-break and thin spaces, and the dashes U+2010 to U+2015.
std::size_t separator_bytes(std::string_view text, std::size_t at, Separators allowed) {
  constexpr std::string_view kAscii = " -./()", kMore = "_\t\r\n";
  const char c = at_or_nul(text, at);
  if (c == '\0') return 0;
  if (kAscii.find(c) != std::string_view::npos) return 1;
  if (allowed == Separators::kAny && kMore.find(c) != std::string_view::npos) return 1;
  const std::string_view rest = text.substr(at);
  if (rest.starts_with("\xC2\xA0")) return 2;
  if (rest.size() < 3 || rest[0] != '\xE2' || rest[1] != '\x80') return 0;
  const auto last = static_cast<unsigned char>(rest[2]);
  return (last >= 0x80 && last <= 0x95) || last == 0xAF ? 3 : 0;
}

bool context_before(std::string_view text, std::size_t at, std::size_t reach,
                    std::span<const std::string_view> words) {
  const std::size_t from = at - std::min(at, reach);
  const bool open_front = from > 0 && is_word_byte(text[from - 1]);
  return has_context(text.substr(from, at - from), open_front, words);
}

bool context_since_number(std::string_view text, std::size_t at, std::size_t reach,
                          std::span<const std::string_view> words) {
  std::size_t bytes = 0;
  while (bytes < std::min(at, reach) && !is_digit(text[at - bytes - 1])) ++bytes;
  return context_before(text, at, bytes, words);
}

bool context_after(std::string_view text, std::size_t at, std::size_t reach,
                   std::span<const std::string_view> words) {
  return has_context(text.substr(std::min(at, text.size()), reach), false, words);
}

std::string NumberRun::digits(std::size_t from, std::size_t to) const {
  std::string out;
  for (std::size_t i = from; i < to; ++i) out += text_.substr(groups_[i].begin, groups_[i].size());
  return out;
}

std::size_t NumberRun::count_digits(std::size_t from, std::size_t to) const {
  std::size_t count = 0;
  for (std::size_t i = from; i < to; ++i) count += groups_[i].size();
  return count;
}

bool NumberRun::same_separators(std::size_t from, std::size_t to) const {
  for (std::size_t i = from + 2; i < to; ++i) {
    if (separator(i) != separator(from + 1)) return false;
  }
  return true;
}

std::vector<NumberRun> find_number_runs(std::string_view text, Separators allowed) {
  std::vector<NumberRun> runs;
  for (std::size_t at = text.find_first_of("0123456789"); at < text.size();
       at = text.find_first_of("0123456789", at)) {
    std::vector<DigitGroup> groups;
    for (std::size_t next = at; next != std::string_view::npos;
         next = next_group(text, at, allowed)) {
      groups.push_back(group_at(text, next));
      at = groups.back().end;
    }
    runs.emplace_back(text, std::move(groups));
  }
  return runs;
}

}  // namespace signalbox::pii
