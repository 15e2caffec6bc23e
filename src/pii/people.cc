// What a text says outright about people and times: ages, nationalities, written dates.
#include <algorithm>
#include <array>
#include <string>

#include "pii/scan.h"

namespace signalbox::pii {
namespace {

constexpr std::array<std::string_view, 221> kNationalities{"afghan",
                                                           "african",
                                                           "albanian",
                                                           "algerian",
                                                           "american",
                                                           "andorran",
                                                           "angolan",
                                                           "arab",
                                                           "argentine",
                                                           "argentinian",
                                                           "armenian",
                                                           "asian",
                                                           "australian",
                                                           "austrian",
                                                           "azerbaijani",
                                                           "bahamian",
                                                           "bahraini",
                                                           "bangladeshi",
                                                           "basque",
                                                           "bavarian",
                                                           "belarusian",
                                                           "belgian",
                                                           "belizian",
                                                           "beninese",
                                                           "bhutanese",
                                                           "bolivian",
                                                           "bosnian",
                                                           "botswanan",
                                                           "brazilian",
                                                           "british",
                                                           "bruneian",
                                                           "buddhist",
                                                           "bulgarian",
                                                           "burkinese",
                                                           "burmese",
                                                           "burundian",
                                                           "californian",
                                                           "cambodian",
                                                           "cameroonian",
                                                           "canadian",
                                                           "cape verdean",
                                                           "catalan",
                                                           "catholic",
                                                           "chadian",
                                                           "chechen",
                                                           "chilean",
                                                           "chinese",
                                                           "christian",
                                                           "colombian",
                                                           "congolese",
                                                           "costa rican",
                                                           "croatian",
                                                           "cuban",
                                                           "cypriot",
                                                           "czech",
                                                           "danish",
                                                           "democrat",
                                                           "djiboutian",
                                                           "dominican",
                                                           "dutch",
                                                           "ecuadorean",
                                                           "ecuadorian",
                                                           "egyptian",
                                                           "emirati",
                                                           "english",
                                                           "eritrean",
                                                           "estonian",
                                                           "ethiopian",
                                                           "european",
                                                           "fijian",
                                                           "filipino",
                                                           "finnish",
                                                           "flemish",
                                                           "french",
                                                           "gabonese",
                                                           "gambian",
                                                           "georgian",
                                                           "german",
                                                           "ghanaian",
                                                           "greek",
                                                           "greenlander",
                                                           "grenadian",
                                                           "guatemalan",
                                                           "guinean",
                                                           "guyanese",
                                                           "haitian",
                                                           "hindu",
                                                           "hispanic",
                                                           "honduran",
                                                           "hungarian",
                                                           "icelandic",
                                                           "indian",
                                                           "indonesian",
                                                           "iranian",
                                                           "iraqi",
                                                           "irish",
                                                           "israeli",
                                                           "italian",
                                                           "ivorian",
                                                           "jamaican",
                                                           "japanese",
                                                           "jew",
                                                           "jewish",
                                                           "jordanian",
                                                           "kazakh",
                                                           "kenyan",
                                                           "korean",
                                                           "kosovar",
                                                           "kurd",
                                                           "kurdish",
                                                           "kuwaiti",
                                                           "kyrgyz",
                                                           "laotian",
                                                           "latino",
                                                           "latvian",
                                                           "lebanese",
                                                           "liberian",
                                                           "libyan",
                                                           "lithuanian",
                                                           "londoner",
                                                           "luxembourger",
                                                           "macedonian",
                                                           "malawian",
                                                           "malaysian",
                                                           "maldivian",
                                                           "malian",
                                                           "maltese",
                                                           "mauritanian",
                                                           "mexican",
                                                           "moldovan",
                                                           "mongolian",
                                                           "montenegrin",
                                                           "mormon",
                                                           "moroccan",
                                                           "mozambican",
                                                           "muslim",
                                                           "namibian",
                                                           "native american",
                                                           "nepalese",
                                                           "new yorker",
                                                           "new zealander",
                                                           "nicaraguan",
                                                           "nigerian",
                                                           "nigerien",
                                                           "north korean",
                                                           "norwegian",
                                                           "omani",
                                                           "ottoman",
                                                           "pakistani",
                                                           "palestinian",
                                                           "panamanian",
                                                           "papua new guinean",
                                                           "paraguayan",
                                                           "parisian",
                                                           "persian",
                                                           "peruvian",
                                                           "philippine",
                                                           "polish",
                                                           "portuguese",
                                                           "protestant",
                                                           "puerto rican",
                                                           "qatari",
                                                           "republican",
                                                           "romanian",
                                                           "russian",
                                                           "rwandan",
                                                           "salvadoran",
                                                           "salvadorean",
                                                           "samoan",
                                                           "saudi",
                                                           "saudi arabian",
                                                           "scottish",
                                                           "senegalese",
                                                           "serbian",
                                                           "seychellois",
                                                           "shiite",
                                                           "sicilian",
                                                           "sierra leonian",
                                                           "sikh",
                                                           "singaporean",
                                                           "slovak",
                                                           "slovenian",
                                                           "solomon islander",
                                                           "somali",
                                                           "south african",
                                                           "south korean",
                                                           "soviet",
                                                           "spanish",
                                                           "sri lankan",
                                                           "sudanese",
                                                           "sunni",
                                                           "surinamese",
                                                           "swazi",
                                                           "swedish",
                                                           "swiss",
                                                           "syrian",
                                                           "taiwanese",
                                                           "tajik",
                                                           "tanzanian",
                                                           "texan",
                                                           "thai",
                                                           "tibetan",
                                                           "togolese",
                                                           "trinidadian",
                                                           "tunisian",
                                                           "turkish",
                                                           "turkmen",
                                                           "tuvaluan",
                                                           "ugandan",
                                                           "ukrainian",
                                                           "uruguayan",
                                                           "uzbek",
                                                           "vanuatuan",
                                                           "venezuelan",
                                                           "vietnamese",
                                                           "welsh",
                                                           "western samoan",
                                                           "yemeni",
                                                           "yugoslav",
                                                           "zambian",
                                                           "zimbabwean"};
static_assert(std::ranges::is_sorted(kNationalities));
// Words in front of a nationality that make it one of a person or thing, not a language.
constexpr std::array<std::string_view, 17> kBefore{"a",    "am",  "an",  "and", "are", "being",
                                                   "born", "her", "his", "is",  "m",   "my",
                                                   "old",  "our", "the", "was", "were"};
static_assert(std::ranges::is_sorted(kBefore));
constexpr std::array<std::string_view, 18> kLanguageAfter{
    "course",   "dictionary", "exam",        "grammar", "is",       "keyboard",
    "language", "lesson",     "lessons",     "phrase",  "sentence", "speaker",
    "text",     "to",         "translation", "version", "word",     "words"};
static_assert(std::ranges::is_sorted(kLanguageAfter));
constexpr int kAgeMax = 120;

struct Letters {
  std::size_t begin = 0, end = 0;
  std::string lowered;
};

// The word of ASCII letters that starts at `begin`; empty at anything else.
Letters letters_at(std::string_view text, std::size_t begin) {
  Letters word{.begin = begin, .end = begin, .lowered = {}};
  while (is_letter(at_or_nul(text, word.end)) && word.lowered.size() < 24) {
    word.lowered.push_back(to_lower(text[word.end++]));
  }
  if (is_word_byte(at_or_nul(text, word.end))) word.lowered.clear();
  return word;
}

// The word before `at` with one mark or space between them.
std::string word_before(std::string_view text, std::size_t at) {
  if (at < 2) return {};
  std::size_t end = at - 1, begin = end;
  while (begin > 0 && end - begin < 24 && is_letter(text[begin - 1])) --begin;
  return letters_at(text.substr(0, end), begin).lowered;
}

int number_of(std::string_view digits) {
  int value = 0;
  for (const char c : digits.substr(0, 6)) value = value * 10 + (c - '0');
  return value;
}

bool names_language(std::string_view text, const Letters& word) {
  const Letters next = letters_at(text, word.end + 1);
  return std::ranges::binary_search(kLanguageAfter, next.lowered);
}

// A nationality at the word: its end, or 0. Two-word names ("south african") count whole.
std::size_t nationality_end(std::string_view text, const Letters& word) {
  const Letters next = letters_at(text, word.end + 1);
  if (at_or_nul(text, word.end) == ' ' &&
      std::ranges::binary_search(kNationalities, word.lowered + " " + next.lowered)) {
    return next.end;
  }
  return std::ranges::binary_search(kNationalities, word.lowered) ? word.end : 0;
}

bool age_follows(std::string_view text, std::size_t end) {
  constexpr std::array<std::string_view, 10> kAfter{
      "years old", "year old",     "-year-old", "year-old",   "yrs old",
      "y/o",       "years of age", "yo",        "-years-old", "yr old"};
  while (at_or_nul(text, end) == ' ') ++end;
  return std::ranges::any_of(kAfter, [&](std::string_view word) {
    for (std::size_t i = 0; i < word.size(); ++i) {
      if (to_lower(at_or_nul(text, end + i)) != word[i]) return false;
    }
    return !is_word_byte(at_or_nul(text, end + word.size()));
  });
}

bool age_leads(std::string_view text, std::size_t begin) {
  constexpr std::array<std::string_view, 3> kLead{"age", "aged", "ages"};
  constexpr std::size_t kReach = 8;
  return context_since_number(text, begin, kReach, kLead);
}

// Groups as day, month and year, or year, month and day, between equal dashes, dots or slashes.
bool is_date(const NumberRun& run, std::size_t from) {
  if (from + 3 > run.size() || !run.same_separators(from, from + 3)) return false;
  const std::string_view separator = run.separator(from + 1);
  const auto size = [&](std::size_t i) { return run[from + i].size(); };
  const auto value = [&](std::size_t i) {
    return number_of(run.text().substr(run[from + i].begin, size(i)));
  };
  const bool year_first = separator == "-" || separator == "/";
  if (size(0) == 4 && size(1) == 2 && size(2) == 2)
    return year_first && value(1) >= 1 && value(1) <= 12 && value(2) >= 1 && value(2) <= 31;
  if (separator != "/" && separator != "." && separator != "-") return false;
  const bool long_year = size(2) == 4 && value(2) >= 1000 && value(2) < 2200;
  if (!long_year && !(size(2) == 2 && separator == "/")) return false;
  return size(0) <= 2 && size(1) <= 2 && value(0) >= 1 && value(1) >= 1 && value(0) <= 31 &&
         value(1) <= 31 && std::min(value(0), value(1)) <= 12;
}

}  // namespace

void find_ages(std::string_view text, std::vector<Entity>& out) {
  for (std::size_t at = text.find_first_of("0123456789"); at < text.size();
       at = text.find_first_of("0123456789", at)) {
    std::size_t end = at;
    while (is_digit(at_or_nul(text, end))) ++end;
    const bool whole = (at == 0 || (!is_word_byte(text[at - 1]) && text[at - 1] != '.')) &&
                       !is_word_byte(at_or_nul(text, end));
    if (whole && end - at <= 3 && number_of(text.substr(at, end - at)) <= kAgeMax &&
        (age_follows(text, end) || age_leads(text, at))) {
      out.push_back({at, end, Type::kAge, 0.9f, Source::kRule});
    }
    at = end;
  }
}

void find_nationalities(std::string_view text, std::vector<Entity>& out) {
  for (std::size_t at = 0; at < text.size();) {
    if (!is_letter(text[at]) || (at > 0 && (is_word_byte(text[at - 1]) || text[at - 1] == '@'))) {
      ++at;
      continue;
    }
    const Letters word = letters_at(text, at);
    const std::size_t end = word.lowered.empty() ? 0 : nationality_end(text, word);
    if (end > 0 && std::ranges::binary_search(kBefore, word_before(text, at)) &&
        !names_language(text, word)) {
      out.push_back({at, end, Type::kNrp, 0.85f, Source::kRule});
    }
    at = std::max({at + 1, word.end, end});
  }
}

void find_dates(const NumberRun& run, std::vector<Entity>& out) {
  for (std::size_t from = 0; from < run.size(); ++from) {
    if (!is_date(run, from)) continue;
    const std::size_t begin = run[from].begin, end = run[from + 2].end;
    const bool inside =
        (begin > 0 && is_word_byte(run.text()[begin - 1])) ||
        (is_word_byte(at_or_nul(run.text(), end)) && at_or_nul(run.text(), end) != 'T');
    const bool longer =
        (from > 0 && run.separator(from) == run.separator(from + 1)) ||
        (from + 3 < run.size() && run.separator(from + 3) == run.separator(from + 1));
    if (inside || longer) continue;
    out.push_back({begin, end, Type::kDateTime, 0.9f, Source::kRule});
    from += 2;
  }
}

}  // namespace signalbox::pii
