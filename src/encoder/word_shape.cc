#include "encoder/word_shape.h"

#include <algorithm>
#include <array>

#include "tokenize/unicode.h"
#include "tokenize/word.h"

namespace signalbox::encoder {
namespace {

// Kinds of words, exactly one per word.
enum Kind : std::uint8_t {
  kLower,
  kCapitalised,
  kUpper,
  kSingleUpper,
  kMixedCase,
  kNoCase,  // letters of a script without case
  kDigits1,
  kDigits2,
  kDigits3,
  kDigits4,
  kDigits5,
  kDigitsMore,
  kLettersAndDigits,
  kFirstPunctuation,  // then one kind per mark of kMarks, and one for all others
};
constexpr std::string_view kMarks = ".,:;'\"-/@()#";
static_assert(kFirstPunctuation + kMarks.size() + 1 == kWordKinds);

// Further features, from kWordKinds on.
enum Feature : std::uint8_t {
  kGlued,          // no white space before the word
  kGluedAfter,     // none behind it
  kLineBefore,     // a line break before it, or it is the first word
  kLineAfter,      // a line break behind it, or it is the last word
  kSentenceStart,  // behind . ! ? : or a line break, or first
  kCaselessText,   // the text has letters but no capital: case says nothing
  kUpperText,      // most letters of the text are capitals
  kLength1,
  kLength2,
  kLength4,
  kLength7,
  kLength11,
  kLengthMore,
  kTitleText,  // nearly all words are capitalised
};
static_assert(kWordKinds + kTitleText + 1 == kShapeFeatures);

struct Letters {
  std::size_t upper = 0, lower = 0, caseless = 0, digits = 0, others = 0;
  bool first_upper = false;
  std::size_t total() const { return upper + lower + caseless + digits + others; }
};

Letters count_letters(std::string_view word) {
  Letters letters;
  for (std::size_t at = 0; at < word.size();) {
    const auto [point, bytes] = tokenize::decode_utf8(word.substr(at));
    if (point >= '0' && point <= '9') {
      ++letters.digits;
    } else if (!tokenize::is_word(point)) {
      ++letters.others;
    } else if (tokenize::lower(point) != point) {
      letters.first_upper |= at == 0;
      ++letters.upper;
    } else if (point < 0x590 || (point >= 0x1E00 && point < 0x2000)) {
      ++letters.lower;  // Latin, Greek, Cyrillic, Armenian
    } else {
      ++letters.caseless;
    }
    at += bytes;
  }
  return letters;
}

std::size_t punctuation_kind(std::string_view word) {
  const std::size_t mark = word.size() == 1 ? kMarks.find(word.front()) : std::string_view::npos;
  return kFirstPunctuation + (mark == std::string_view::npos ? kMarks.size() : mark);
}

std::size_t kind_of(std::string_view word, const Letters& letters) {
  const std::size_t cased = letters.upper + letters.lower, all = cased + letters.caseless;
  if (all + letters.digits == 0) return punctuation_kind(word);
  if (all == 0) return kDigits1 + std::min<std::size_t>(letters.digits, 6) - 1;
  if (letters.digits > 0) return kLettersAndDigits;
  if (cased == 0) return kNoCase;
  if (letters.upper == 0) return kLower;
  if (letters.lower == 0) return letters.upper == 1 ? kSingleUpper : kUpper;
  return letters.upper == 1 && letters.first_upper ? kCapitalised : kMixedCase;
}

std::size_t length_feature(std::size_t characters) {
  constexpr std::array<std::size_t, 5> kUpTo{1, 2, 4, 7, 11};
  const auto bucket = std::ranges::lower_bound(kUpTo, characters) - kUpTo.begin();
  return kLength1 + static_cast<std::size_t>(bucket);
}

// What holds for the text as a whole.
struct TextCase {
  std::size_t upper = 0, lower = 0, words = 0, capitalised = 0;
  void add(const Letters& letters) {
    upper += letters.upper;
    lower += letters.lower;
    if (letters.upper + letters.lower < 2) return;
    ++words;
    capitalised += letters.first_upper ? 1 : 0;
  }
};

bool ends_sentence(std::string_view word) {
  return word == "." || word == "!" || word == "?" || word == ":";
}

void layout_features(std::string_view text, std::span<const Word> words, std::size_t i,
                     float* features) {
  const std::size_t before = i == 0 ? 0 : words[i - 1].end;
  const std::size_t after = i + 1 == words.size() ? text.size() : words[i + 1].begin;
  const auto has_line = [&](std::size_t from, std::size_t to) {
    return text.substr(from, to - from).find('\n') != std::string_view::npos;
  };
  const bool line_before = i == 0 || has_line(before, words[i].begin);
  const auto set = [&](Feature feature, bool value) { features[feature] = value ? 1.0f : 0.0f; };
  set(kGlued, i > 0 && before == words[i].begin);
  set(kGluedAfter, i + 1 < words.size() && after == words[i].end);
  set(kLineBefore, line_before);
  set(kLineAfter, i + 1 == words.size() || has_line(words[i].end, after));
  set(kSentenceStart,
      line_before || ends_sentence(text.substr(words[i - 1].begin, before - words[i - 1].begin)));
}

}  // namespace

std::vector<Word> group_words(std::span<const tokenize::WordSpan> spans) {
  std::vector<Word> words;
  for (std::size_t i = 0; i < spans.size(); ++i) {
    if (i == 0 || spans[i] != spans[i - 1]) words.push_back({spans[i].begin, spans[i].end, i, 0});
    ++words.back().piece_count;
  }
  return words;
}

void shape_features(std::string_view text, std::span<const Word> words, float* out) {
  std::fill_n(out, words.size() * kShapeFeatures, 0.0f);
  TextCase all;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string_view word = text.substr(words[i].begin, words[i].end - words[i].begin);
    const Letters letters = count_letters(word);
    all.add(letters);
    float* row = out + i * kShapeFeatures;
    row[kind_of(word, letters)] = 1;
    row[kWordKinds + length_feature(letters.total())] = 1;
    layout_features(text, words, i, row + kWordKinds);
  }
  const bool caseless = all.upper == 0 && all.lower > 0;
  const bool upper = all.upper > 2 * all.lower;
  const bool title = all.words >= 4 && all.capitalised * 10 >= all.words * 7;
  for (std::size_t i = 0; i < words.size(); ++i) {
    float* row = out + i * kShapeFeatures + kWordKinds;
    row[kCaselessText] = caseless ? 1.0f : 0.0f;
    row[kUpperText] = upper ? 1.0f : 0.0f;
    row[kTitleText] = title ? 1.0f : 0.0f;
  }
}

}  // namespace signalbox::encoder
