#include <utf8proc.h>

#include <algorithm>

#include "tokenize/pattern.h"
#include "tokenize/unicode.h"

namespace signalbox::tokenize {
namespace {

std::uint32_t upper(std::uint32_t point) {
  return static_cast<std::uint32_t>(utf8proc_toupper(static_cast<utf8proc_int32_t>(point)));
}

}  // namespace

bool is_space(std::uint32_t point) {
  return (point >= 0x9 && point <= 0xD) || point == 0x20 || point == 0x85 || point == 0xA0 ||
         point == 0x1680 || (point >= 0x2000 && point <= 0x200A) || point == 0x2028 ||
         point == 0x2029 || point == 0x202F || point == 0x205F || point == 0x3000;
}

void CharacterSet::add(const CharacterSet& other) {
  ranges_.insert(ranges_.end(), other.ranges_.begin(), other.ranges_.end());
  categories_ |= other.categories_;
  space_ = space_ || other.space_;
  not_space_ = not_space_ || other.not_space_;
}

void CharacterSet::finish() {
  for (std::uint32_t point = 0; point < 128; ++point) {
    if (evaluate(point)) ascii_[point / 64] |= std::uint64_t{1} << (point % 64);
  }
}

bool CharacterSet::holds(std::uint32_t point) const {
  for (const Range& range : ranges_) {
    if (point >= range.first && point <= range.last) return true;
  }
  if (space_ && is_space(point)) return true;
  if (not_space_ && !is_space(point)) return true;
  return categories_ != 0 &&
         (categories_ >> utf8proc_category(static_cast<utf8proc_int32_t>(point)) & 1) != 0;
}

bool CharacterSet::evaluate(std::uint32_t point) const {
  bool in = holds(point);
  // By both mappings, so that U+017F is an s and U+212A a k.
  if (!in && ignore_case_)
    in = holds(lower(point)) || holds(upper(point)) || holds(lower(upper(point)));
  return in != negated_;
}

}  // namespace signalbox::tokenize
