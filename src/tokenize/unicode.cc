#include "tokenize/unicode.h"

#include <utf8proc.h>

#include <algorithm>

#include "base/assert.h"
#include "tokenize/unicode_tables.h"

namespace signalbox::tokenize {
namespace {

constexpr CodePointRange kSpaces[] = {
    {0x9, 0xA},       {0xD, 0xD},       {0x20, 0x20},     {0xA0, 0xA0},     {0x1680, 0x1680},
    {0x2000, 0x200A}, {0x2028, 0x2029}, {0x202F, 0x202F}, {0x205F, 0x205F}, {0x3000, 0x3000}};
constexpr CodePointRange kAsciiPunctuation[] = {
    {0x21, 0x2F}, {0x3A, 0x40}, {0x5B, 0x60}, {0x7B, 0x7E}};
constexpr CodePointRange kAsciiDropped[] = {{0x0, 0x8}, {0xB, 0xC}, {0xE, 0x1F}, {0x7F, 0x7F}};
// The CJK blocks of the original BERT tokenizer. 2B920 (not 2B820) is how the reference has it.
constexpr CodePointRange kIdeographs[] = {
    {0x3400, 0x4DBF},   {0x4E00, 0x9FFF},   {0xF900, 0xFAFF},  {0x20000, 0x2A6DF},
    {0x2A700, 0x2B81F}, {0x2B920, 0x2CEAF}, {0x2F800, 0x2FA1F}};

void paint(std::vector<Class>& classes, std::span<const CodePointRange> ranges, Class value) {
  for (const CodePointRange& range : ranges)
    std::fill(&classes[range.first], &classes[range.last] + 1, value);
}

bool continues(std::string_view text, std::size_t index) {
  return index < text.size() && (static_cast<unsigned char>(text[index]) & 0xC0) == 0x80;
}

}  // namespace

Decoded decode_utf8(std::string_view text) {
  const auto byte = [&](std::size_t i) {
    return static_cast<std::uint32_t>(static_cast<unsigned char>(text[i]));
  };
  const std::uint32_t lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  if (lead >= 0xC2 && lead < 0xE0 && continues(text, 1))
    return {(lead & 0x1F) << 6 | (byte(1) & 0x3F), 2};
  if (lead >= 0xE0 && lead < 0xF0 && continues(text, 1) && continues(text, 2)) {
    const std::uint32_t point = (lead & 0x0F) << 12 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F);
    if (point >= 0x800 && (point < 0xD800 || point > 0xDFFF)) return {point, 3};
  }
  if (lead >= 0xF0 && lead < 0xF5 && continues(text, 1) && continues(text, 2) &&
      continues(text, 3)) {
    const std::uint32_t point =
        (lead & 0x07) << 18 | (byte(1) & 0x3F) << 12 | (byte(2) & 0x3F) << 6 | (byte(3) & 0x3F);
    if (point >= 0x10000 && point <= 0x10FFFF) return {point, 4};
  }
  return {kReplacement, 1};
}

void append_utf8(std::string& out, std::uint32_t point) {
  const auto put = [&](std::uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (point < 0x80) {
    put(point);
  } else if (point < 0x800) {
    put(0xC0 | point >> 6);
    put(0x80 | (point & 0x3F));
  } else if (point < 0x10000) {
    put(0xE0 | point >> 12);
    put(0x80 | (point >> 6 & 0x3F));
    put(0x80 | (point & 0x3F));
  } else {
    put(0xF0 | point >> 18);
    put(0x80 | (point >> 12 & 0x3F));
    put(0x80 | (point >> 6 & 0x3F));
    put(0x80 | (point & 0x3F));
  }
}

std::size_t utf8_prefix(std::string_view text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) return text.size();
  std::size_t end = bytes_max;
  while (end > 0 && bytes_max - end < 4 && continues(text, end)) --end;
  return end;
}

ClassTable::ClassTable() {
  std::vector<Class> classes(0x110000, Class::kWord);
  paint(classes, punctuation_ranges(), Class::kPunctuation);
  paint(classes, mark_ranges(), Class::kMark);
  paint(classes, kIdeographs, Class::kIdeograph);
  paint(classes, kAsciiPunctuation, Class::kPunctuation);
  paint(classes, dropped_ranges(), Class::kDropped);
  paint(classes, kAsciiDropped, Class::kDropped);
  paint(classes, kSpaces, Class::kSpace);
  for (std::size_t page = 0; page < page_of_.size(); ++page) {
    Page content;
    std::copy_n(&classes[page * 256], 256, content.begin());
    const auto known = std::find(pages_.begin(), pages_.end(), content);
    page_of_[page] = static_cast<std::uint8_t>(known - pages_.begin());
    if (known == pages_.end()) pages_.push_back(content);
  }
  SBX_ASSERT(pages_.size() <= 256);
}

const ClassTable& class_table() {
  static const ClassTable table;
  return table;
}

int decompose(std::uint32_t point, std::array<std::uint32_t, 8>& out) {
  utf8proc_int32_t points[8];
  int bound_class = 0;
  const auto count = utf8proc_decompose_char(static_cast<utf8proc_int32_t>(point), points, 8,
                                             UTF8PROC_DECOMPOSE, &bound_class);
  if (count < 1 || count > 8) {
    out[0] = point;
    return 1;
  }
  for (int i = 0; i < count; ++i)
    out[static_cast<std::size_t>(i)] = static_cast<std::uint32_t>(points[i]);
  return static_cast<int>(count);
}

int combining_class(std::uint32_t point) {
  return utf8proc_get_property(static_cast<utf8proc_int32_t>(point))->combining_class;
}

std::uint32_t lower(std::uint32_t point) {
  return static_cast<std::uint32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(point)));
}

}  // namespace signalbox::tokenize
