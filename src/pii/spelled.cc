// Identifiers that somebody hides from patterns: digits written as words ("four one one one"), and
// e-mail addresses with "at" and "dot".
#include <algorithm>
#include <array>
#include <optional>
#include <string>

#include "pii/checksum.h"
#include "pii/scan.h"

namespace signalbox::pii {
namespace {

constexpr std::size_t kDigitsMax = 19, kContextBytes = 60;
constexpr std::array<std::string_view, 4> kSocialContext{"ssn*", "social security", "social",
                                                         "soc"};
struct Named {
  std::string_view word;
  char digit;
};
constexpr std::array kDigits{Named{"zero", '0'},  Named{"oh", '0'},    Named{"one", '1'},
                             Named{"two", '2'},   Named{"three", '3'}, Named{"four", '4'},
                             Named{"five", '5'},  Named{"six", '6'},   Named{"seven", '7'},
                             Named{"eight", '8'}, Named{"nine", '9'}};

struct WordAt {
  std::size_t begin = 0, end = 0;
  std::string lowered;
};

// The next word of letters from `at` on.
WordAt next_word(std::string_view text, std::size_t at) {
  WordAt word;
  while (at < text.size() && !is_letter(text[at])) ++at;
  word.begin = at;
  while (at < text.size() && is_letter(text[at])) word.lowered.push_back(to_lower(text[at++]));
  word.end = at;
  return word;
}

char named_digit(std::string_view word) {
  const auto found = std::ranges::find(kDigits, word, &Named::word);
  return found == kDigits.end() ? '\0' : found->digit;
}

struct Spelled {
  std::string digits;
  std::size_t begin = 0, end = 0;
};

// Digit words from `first` on, at most three other characters apart; "double" and "triple" repeat.
Spelled read_spelled(std::string_view text, const WordAt& first) {
  Spelled spelled{.digits = {}, .begin = first.begin, .end = first.begin};
  std::size_t repeat = 1;
  for (WordAt word = first; word.begin < text.size(); word = next_word(text, word.end)) {
    if (spelled.end != spelled.begin && word.begin - spelled.end > 3 && repeat == 1) break;
    if (word.lowered == "double" || word.lowered == "triple") {
      repeat = word.lowered == "double" ? 2 : 3;
      continue;
    }
    const char digit = named_digit(word.lowered);
    if (digit == '\0' || spelled.digits.size() + repeat > kDigitsMax) break;
    spelled.digits.append(repeat, digit);
    spelled.end = word.end;
    repeat = 1;
  }
  return spelled;
}

std::optional<Type> type_of(std::string_view text, const Spelled& spelled) {
  const std::size_t count = spelled.digits.size();
  if (count >= 13 && luhn_valid(spelled.digits) && is_card_prefix(spelled.digits))
    return Type::kCreditCard;
  if (count == 9 && context_before(text, spelled.begin, kContextBytes, kSocialContext))
    return Type::kUsSsn;
  if (count == 7 || (count >= 10 && count <= 13)) return Type::kPhoneNumber;
  return std::nullopt;
}

// Bytes of a spelled "at" or "dot" at `at` with the blanks and brackets around it, else 0.
std::size_t spelled_mark(std::string_view text, std::size_t at, std::string_view mark) {
  const std::size_t begin = at;
  const auto skip = [&](std::string_view set) {
    while (at < text.size() && at - begin < 12 && set.find(text[at]) != std::string_view::npos)
      ++at;
  };
  skip(" ([{<_");
  if (at == begin) return 0;
  for (const char c : mark) {
    if (to_lower(at_or_nul(text, at++)) != c) return 0;
  }
  const std::size_t after = at;
  skip(" )]}>_");
  return at > after ? at - begin : 0;
}

std::size_t label_end(std::string_view text, std::size_t at) {
  while (is_word_byte(at_or_nul(text, at)) || at_or_nul(text, at) == '-') ++at;
  return at;
}

// End of "label dot label ..." from `at` on, if its last label is a top-level domain; else 0.
std::size_t spelled_host_end(std::string_view text, std::size_t at) {
  std::string host;
  for (int labels = 0; labels < 5; ++labels) {
    const std::size_t end = label_end(text, at);
    if (end == at) return 0;
    host += (labels > 0 ? "." : "") + std::string(text.substr(at, end - at));
    std::size_t mark = spelled_mark(text, end, "dot");
    if (mark == 0 && at_or_nul(text, end) == '.' && is_letter(at_or_nul(text, end + 1))) mark = 1;
    if (mark == 0) return labels > 0 && has_known_suffix(host, false) ? end : 0;
    at = end + mark;
  }
  return 0;
}

void find_spelled_emails(std::string_view text, std::vector<Entity>& out) {
  for (std::size_t at = 0; at < text.size(); ++at) {
    const std::size_t mark = spelled_mark(text, at, "at");
    if (mark == 0 || at == 0) continue;
    const std::size_t end = spelled_host_end(text, at + mark);
    if (end == 0) continue;
    std::size_t begin = at;
    while (begin > 0 && at - begin < 64 &&
           (is_word_byte(text[begin - 1]) ||
            std::string_view(".-_+").find(text[begin - 1]) != std::string_view::npos))
      --begin;
    if (begin == at) continue;
    out.push_back({begin, end, Type::kEmailAddress, 0.9f, Source::kRule});
    at = end - 1;
  }
}

}  // namespace

void find_spelled_numbers(std::string_view text, std::vector<Entity>& out) {
  for (WordAt word = next_word(text, 0); word.begin < text.size();) {
    const bool starts =
        named_digit(word.lowered) != '\0' || word.lowered == "double" || word.lowered == "triple";
    const Spelled spelled = starts ? read_spelled(text, word) : Spelled{};
    if (const auto type = type_of(text, spelled)) {
      out.push_back({spelled.begin, spelled.end, *type, 0.85f, Source::kRule});
    }
    word = next_word(text, std::max(word.end, spelled.end));
  }
  find_spelled_emails(text, out);
}

}  // namespace signalbox::pii
