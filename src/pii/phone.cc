// Phone numbers: international (+, 00), North American (3-3-4), national with a trunk zero in
// groups, and anything of fitting length where the text says that it is a phone.
#include <algorithm>
#include <array>
#include <optional>

#include "pii/scan.h"

namespace signalbox::pii {
namespace {

constexpr std::size_t kGroupsMax = 7;
constexpr std::size_t kDigitsMin = 7, kDigitsMax = 15;  // E.164
constexpr std::size_t kExtensionDigitsMax = 6;
constexpr std::size_t kContextBytes = 40, kContextAfterBytes = 24;
constexpr std::array<std::string_view, 28> kContext{"phone*",
                                                    "tel",
                                                    "telephone*",
                                                    "telefon*",
                                                    "cell*",
                                                    "mobile*",
                                                    "mob",
                                                    "call*",
                                                    "fax",
                                                    "dial*",
                                                    "whatsapp",
                                                    "text me",
                                                    "sms",
                                                    "hotline",
                                                    "contact",
                                                    "ring",
                                                    "reach*",
                                                    "handy",
                                                    "ph",
                                                    "landline",
                                                    "m\xC3\xB3vil",
                                                    "tel\xC3\xA9"
                                                    "fono",
                                                    "num\xC3\xA9ro",
                                                    "n\xC3\xBAmero",
                                                    "numero",
                                                    "my number",
                                                    "voicemail",
                                                    "callback"};
constexpr std::array<std::string_view, 3> kContextAfter{"is my number", "is my phone",
                                                        "is my cell"};

struct Window {
  const NumberRun& run;
  std::size_t from, to;
  std::size_t groups() const { return to - from; }
  std::size_t digits() const { return run.count_digits(from, to); }
  std::size_t size(std::size_t i) const { return run[from + i].size(); }
  std::string_view group(std::size_t i) const {
    return run.text().substr(run[from + i].begin, size(i));
  }
  // Where the number begins: at its first digit, or the plus or bracket before it.
  std::size_t start() const {
    std::size_t at = run[from].begin;
    if (at > 0 && run.text()[at - 1] == '+') --at;
    // A bracket belongs to the number only if it closes inside.
    const bool closes =
        run.text().substr(at, run[to - 1].end - at).find(')') != std::string_view::npos;
    if (at > 0 && run.text()[at - 1] == '(' && closes) --at;
    return at;
  }
  bool plus() const {
    const std::size_t digit = run[from].begin;
    const bool direct = digit > 0 && run.text()[digit - 1] == '+';
    return direct || run.text().substr(digit - std::min<std::size_t>(digit, 2), 2) == "+(";
  }
};

// Day, month and year or a time stand in the same groups as some phone numbers.
bool looks_like_date(const Window& window) {
  if (window.groups() < 3) return false;
  const auto value = [&](std::size_t i) {
    int out = 0;
    for (const char c : window.group(i).substr(0, 4)) out = out * 10 + (c - '0');
    return out;
  };
  const std::string_view first = window.run.separator(window.from + 1);
  if (first == " " || first != window.run.separator(window.from + 2)) return false;
  const bool year_first =
      window.size(0) == 4 && value(1) <= 12 && window.size(1) <= 2 && window.size(2) <= 2;
  const bool year_last = window.size(0) <= 2 && window.size(1) <= 2 && value(0) <= 31 &&
                         value(1) <= 31 && (window.size(2) == 4 || window.size(2) == 2);
  return year_first || year_last;
}

// Five pairs behind a zero: "01.42.68.53.00".
bool french(const Window& window) {
  if (window.groups() != 5 || window.group(0)[0] != '0' || window.group(0) == "00") return false;
  for (std::size_t i = 0; i < window.groups(); ++i)
    if (window.size(i) != 2) return false;
  return window.run.same_separators(window.from, window.to);
}

bool looks_like_address(const Window& window) {  // dotted quad, version
  if (window.groups() < 3 || window.run.separator(window.from + 1) != ".") return false;
  for (std::size_t i = 0; i < window.groups(); ++i) {
    if (window.size(i) > 3) return false;
  }
  return window.run.same_separators(window.from, window.to);
}

bool north_american(const Window& window) {
  std::size_t i = window.groups() == 4 && window.group(0) == "1" ? 1 : 0;
  if (window.groups() == 4 && window.group(0) == "001") i = 1;
  if (window.groups() != i + 3) return false;
  return window.size(i) == 3 && window.size(i + 1) == 3 && window.size(i + 2) == 4 &&
         window.group(i)[0] > '0';
}

bool trunk_zero(const Window& window) {
  const std::size_t digits = window.digits();
  return window.groups() >= 2 && window.group(0)[0] == '0' && window.size(0) >= 2 && digits >= 9 &&
         digits <= 12 && window.size(0) <= 5 && !window.group(0).starts_with("000");
}

bool international_zeros(const Window& window) {
  return window.group(0).starts_with("00") && !window.group(0).starts_with("000") &&
         window.digits() >= 11 && window.digits() <= kDigitsMax + 2;
}

// Groups of one or two digits are French or Belgian numbers, but also lists: at most one is single.
bool sensible_groups(const Window& window) {
  std::size_t single = 0;
  for (std::size_t i = 0; i < window.groups(); ++i) single += window.size(i) == 1 ? 1 : 0;
  return single <= 2;
}

std::optional<float> judge(const Window& window, bool context) {
  const std::size_t digits = window.digits();
  if (window.plus()) {
    if (digits < kDigitsMin || digits > kDigitsMax || !sensible_groups(window)) return std::nullopt;
    return 0.97f;
  }
  if (!french(window) && (looks_like_date(window) || looks_like_address(window)))
    return std::nullopt;
  if (north_american(window)) return context ? 0.97f : 0.9f;
  if (international_zeros(window) && (window.groups() > 1 || context)) return 0.93f;
  if (trunk_zero(window)) return context ? 0.95f : 0.75f;
  if (!context || digits < kDigitsMin || digits > kDigitsMax || !sensible_groups(window))
    return std::nullopt;
  return 0.85f;
}

std::size_t skip_spaces(std::string_view text, std::size_t at) {
  while (at_or_nul(text, at) == ' ' || at_or_nul(text, at) == ',') ++at;
  return at;
}

// End of an extension ("x123", "ext. 123") that follows at `at`, or `at`.
std::size_t extension_end(std::string_view text, std::size_t at) {
  const std::size_t begin = skip_spaces(text, at);
  constexpr std::array<std::string_view, 5> kMarks{"extension", "ext.", "ext", "x", "#"};
  for (const std::string_view mark : kMarks) {
    bool same = true;
    for (std::size_t i = 0; i < mark.size() && same; ++i)
      same = to_lower(at_or_nul(text, begin + i)) == mark[i];
    if (!same) continue;
    const std::size_t digits = skip_spaces(text, begin + mark.size());
    std::size_t end = digits;
    while (is_digit(at_or_nul(text, end))) ++end;
    if (end > digits && end - digits <= kExtensionDigitsMax && !is_word_byte(at_or_nul(text, end)))
      return end;
  }
  return at;
}

bool glued(std::string_view text, std::size_t begin, std::size_t end) {
  constexpr std::string_view kBefore = "#$_=@%.-/\\", kAfter = "%_@";
  const char before = begin > 0 ? text[begin - 1] : '\0', after = at_or_nul(text, end);
  if (before == '=' || before == '/') return is_word_byte(after);  // key=value, "tel:a/b"
  return is_word_byte(before) ||
         (before != '\0' && kBefore.find(before) != std::string_view::npos) ||
         (is_word_byte(after) && to_lower(after) != 'x' && to_lower(after) != 'e') ||
         (after != '\0' && kAfter.find(after) != std::string_view::npos);
}

}  // namespace

void find_phones(const NumberRun& run, std::vector<Entity>& out) {
  for (std::size_t from = 0; from < run.size(); ++from) {
    const bool context =
        context_since_number(run.text(), run[from].begin, kContextBytes, kContext) ||
        context_after(run.text(), run[from].end, kContextAfterBytes, kContextAfter);
    for (std::size_t to = std::min(run.size(), from + kGroupsMax); to > from; --to) {
      const Window window{run, from, to};
      const std::size_t end = extension_end(run.text(), run[to - 1].end);
      if (glued(run.text(), window.start(), end)) continue;
      // Groups that a wider gap separates are not one number.
      const auto confidence = judge(window, context);
      if (!confidence) continue;
      out.push_back({window.start(), end, Type::kPhoneNumber, *confidence, Source::kRule});
      from = to - 1;
      break;
    }
  }
}

}  // namespace signalbox::pii
