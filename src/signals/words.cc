#include "signals/words.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "tokenize/unicode.h"
#include "tokenize/word.h"

namespace signalbox::signals {
namespace {

struct ScriptRange {
  std::uint32_t first;
  std::uint32_t last;  // inclusive
  Script script;
};

// Letters and marks of the Unicode blocks of each script, ascending; A1 and BF are the signs that open Spanish
// sentences and say more than any letter. train/language.py holds the same table;
// test/golden/signals/language.txt, written by the trainer, fails when they differ.
constexpr std::array kRanges = std::to_array<ScriptRange>({
    {0x41, 0x5A, Script::kLatin},        {0x61, 0x7A, Script::kLatin},
    {0xA1, 0xA1, Script::kLatin},        {0xAA, 0xAA, Script::kLatin},
    {0xBA, 0xBA, Script::kLatin},        {0xBF, 0xBF, Script::kLatin},
    {0xC0, 0xD6, Script::kLatin},        {0xD8, 0xF6, Script::kLatin},
    {0xF8, 0x2AF, Script::kLatin},       {0x300, 0x36F, Script::kLatin},
    {0x370, 0x3FF, Script::kGreek},      {0x400, 0x52F, Script::kCyrillic},
    {0x531, 0x587, Script::kArmenian},   {0x591, 0x5F4, Script::kHebrew},
    {0x610, 0x65F, Script::kArabic},     {0x66E, 0x6D3, Script::kArabic},
    {0x6D5, 0x6EF, Script::kArabic},     {0x6FA, 0x77F, Script::kArabic},
    {0x900, 0x963, Script::kDevanagari}, {0x970, 0x97F, Script::kDevanagari},
    {0x980, 0x9E3, Script::kBengali},    {0xA00, 0xA65, Script::kGurmukhi},
    {0xA70, 0xA7F, Script::kGurmukhi},   {0xA80, 0xAE3, Script::kGujarati},
    {0xB80, 0xBE5, Script::kTamil},      {0xC00, 0xC65, Script::kTelugu},
    {0xE00, 0xE4E, Script::kThai},       {0xE80, 0xEFF, Script::kFree},
    {0xF00, 0xFFF, Script::kFree},       {0x1000, 0x109F, Script::kFree},
    {0x10A0, 0x10FF, Script::kGeorgian}, {0x1100, 0x11FF, Script::kHangul},
    {0x1780, 0x17FF, Script::kFree},     {0x1C90, 0x1CBF, Script::kGeorgian},
    {0x1E00, 0x1EFF, Script::kLatin},    {0x1F00, 0x1FFF, Script::kGreek},
    {0x3005, 0x3007, Script::kHan},      {0x3041, 0x30FF, Script::kKana},
    {0x3130, 0x318F, Script::kHangul},   {0x31F0, 0x31FF, Script::kKana},
    {0x3400, 0x4DBF, Script::kHan},      {0x4E00, 0x9FFF, Script::kHan},
    {0xAC00, 0xD7A3, Script::kHangul},   {0xF900, 0xFAFF, Script::kHan},
    {0xFB50, 0xFDFF, Script::kArabic},   {0xFE70, 0xFEFE, Script::kArabic},
    {0xFF66, 0xFF9F, Script::kKana},     {0x20000, 0x323AF, Script::kHan},
});

bool needs_no_spaces(Script script) {
  return script == Script::kThai || script == Script::kKana || script == Script::kHan ||
         script == Script::kHangul || script == Script::kFree;
}

bool spaced_word(std::uint32_t point) {
  return tokenize::is_word(point) && !needs_no_spaces(script_of(point));
}

// The code point that ends right before `end`, which is above 0.
std::uint32_t point_before(std::string_view text, std::size_t end) {
  std::size_t begin = end - 1;
  while (begin > 0 && end - begin < 4 && (static_cast<unsigned char>(text[begin]) & 0xC0) == 0x80)
    --begin;
  const tokenize::Decoded decoded = tokenize::decode_utf8(text.substr(begin, end - begin));
  return decoded.bytes == end - begin ? decoded.point : tokenize::kReplacement;
}

}  // namespace

Script script_of(std::uint32_t point) {
  if (point < 0x80) {
    const bool letter = (point >= 'a' && point <= 'z') || (point >= 'A' && point <= 'Z');
    return letter ? Script::kLatin : Script::kNone;
  }
  const auto* at = std::lower_bound(
      kRanges.begin(), kRanges.end(), point,
      [](const ScriptRange& range, std::uint32_t value) { return range.last < value; });
  return at != kRanges.end() && at->first <= point ? at->script : Script::kNone;
}

void fold(std::string_view text, std::string& out) {
  out.reserve(out.size() + text.size());
  for (std::size_t i = 0; i < text.size();) {
    if (static_cast<unsigned char>(text[i]) < 0x80) {
      out.push_back(ascii_lower(text[i++]));
      continue;
    }
    const tokenize::Decoded decoded = tokenize::decode_utf8(text.substr(i));
    if (decoded.bytes == 1) {
      out.push_back(text[i]);
    } else {
      tokenize::append_utf8(out, tokenize::lower(decoded.point));
    }
    i += decoded.bytes;
  }
}

bool whole_word(std::string_view text, std::size_t begin, std::size_t end) {
  if (begin >= end) return false;
  if (begin > 0 && spaced_word(tokenize::decode_utf8(text.substr(begin)).point) &&
      spaced_word(point_before(text, begin))) {
    return false;
  }
  return end >= text.size() || !spaced_word(point_before(text, end)) ||
         !spaced_word(tokenize::decode_utf8(text.substr(end)).point);
}

std::size_t text_units(std::string_view text) {
  std::size_t units = 0;
  bool inside = false;
  for (std::size_t i = 0; i < text.size();) {
    const tokenize::Decoded decoded = tokenize::decode_utf8(text.substr(i));
    i += decoded.bytes;
    const bool word = tokenize::is_word(decoded.point);
    const Script script = word ? script_of(decoded.point) : Script::kNone;
    // Korean writes spaces, so its words count as words here.
    const bool single = needs_no_spaces(script) && script != Script::kHangul;
    if (word && (single || !inside)) ++units;
    inside = word && !single;
  }
  return units;
}

}  // namespace signalbox::signals
