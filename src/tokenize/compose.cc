#include "tokenize/compose.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <vector>

#include "tokenize/unicode.h"

namespace signalbox::tokenize {
namespace {

// Below U+0300 nothing combines with what stands before it.
constexpr std::uint32_t kFirstCombining = 0x300;
// Longest decomposition of one code point (U+FDFA under the compatibility forms).
constexpr std::size_t kPartsMax = 18;

bool composes(Form form) { return form == Form::kNfc || form == Form::kNfkc; }
bool compatible(Form form) { return form == Form::kNfkc || form == Form::kNfkd; }

// Halfwidth voice marks and the jamo of both widths: under the compatibility forms they become what attaches.
bool becomes_attached(std::uint32_t point) {
  return (point >= 0x3131 && point <= 0x318E) || (point >= 0xFF9E && point <= 0xFFDC);
}

// May the code point compose or reorder with the one before it?
bool attaches(std::uint32_t point, Form form) {
  if (point < kFirstCombining) return false;
  if (compatible(form) && becomes_attached(point)) return true;
  if (point >= 0x1160 && point <= 0x11FF) return true;  // vowels and finals of Hangul
  const auto* property = utf8proc_get_property(static_cast<utf8proc_int32_t>(point));
  return property->combining_class != 0 || property->category == UTF8PROC_CATEGORY_MN ||
         property->category == UTF8PROC_CATEGORY_MC || property->category == UTF8PROC_CATEGORY_ME;
}

// One run: a code point and all that attach to it, decomposed.
class Run {
 public:
  explicit Run(Form form) : form_(form) {}

  void add(std::uint32_t point) {
    std::array<utf8proc_int32_t, kPartsMax> parts;
    int ignored = 0;
    const auto options = static_cast<utf8proc_option_t>(UTF8PROC_DECOMPOSE |
                                                        (compatible(form_) ? UTF8PROC_COMPAT : 0));
    const auto count =
        utf8proc_decompose_char(static_cast<utf8proc_int32_t>(point), parts.data(),
                                static_cast<utf8proc_ssize_t>(parts.size()), options, &ignored);
    if (count < 1 || count > static_cast<utf8proc_ssize_t>(parts.size())) {
      points_.push_back(static_cast<utf8proc_int32_t>(point));
    } else {
      points_.insert(points_.end(), parts.begin(), parts.begin() + count);
    }
  }

  // The run in its form; empty afterwards.
  void finish(std::string& out) {
    order();
    auto length = static_cast<utf8proc_ssize_t>(points_.size());
    if (composes(form_)) {
      // STABLE leaves Unicode's composition exclusions apart.
      const auto options = static_cast<utf8proc_option_t>(UTF8PROC_COMPOSE | UTF8PROC_STABLE);
      length = utf8proc_normalize_utf32(points_.data(), length, options);
    }
    for (utf8proc_ssize_t i = 0; i < length; ++i)
      append_utf8(out, static_cast<std::uint32_t>(points_[static_cast<std::size_t>(i)]));
    points_.clear();
  }

 private:
  // Canonical order: marks by class between starters, and within a class as they came.
  void order() {
    const auto starter = [](utf8proc_int32_t point) {
      return combining_class(static_cast<std::uint32_t>(point)) == 0;
    };
    for (auto begin = points_.begin(); begin != points_.end();) {
      begin = std::find_if_not(begin, points_.end(), starter);
      const auto end = std::find_if(begin, points_.end(), starter);
      sort_by_class(begin, end);
      begin = end;
    }
  }

  void sort_by_class(std::vector<utf8proc_int32_t>::iterator begin,
                     std::vector<utf8proc_int32_t>::iterator end) {
    struct Mark {
      int order;
      std::size_t index;
      utf8proc_int32_t point;
    };
    if (end - begin < 2) return;
    std::vector<Mark> marks;
    for (auto at = begin; at != end; ++at)
      marks.push_back({combining_class(static_cast<std::uint32_t>(*at)), marks.size(), *at});
    std::ranges::sort(marks, [](const Mark& a, const Mark& b) {
      return a.order != b.order ? a.order < b.order : a.index < b.index;
    });
    std::ranges::transform(marks, begin, &Mark::point);
  }

  Form form_;
  std::vector<utf8proc_int32_t> points_;
};

// Code points that stay as they are keep their own origins.
void append_unchanged(const TracedText& text, std::size_t at, std::size_t end, TracedText& out) {
  const std::string_view bytes = text.text();
  while (at < end) {
    const std::size_t length = decode_utf8(bytes.substr(at)).bytes;
    out.append(bytes.substr(at, length), text.traced() ? text.origin(at, at + length) : Origin{});
    at += length;
  }
}

}  // namespace

TracedText normalize(const TracedText& text, Form form) {
  const std::string& bytes = text.text();
  TracedText out(text.traced());
  Run run(form);
  std::string normal;
  for (std::size_t at = 0; at < bytes.size();) {
    std::size_t end = at;
    std::size_t count = 0;
    while (end < bytes.size()) {
      const Decoded decoded = decode_utf8(std::string_view(bytes).substr(end));
      if (count > 0 && !attaches(decoded.point, form)) break;
      run.add(decoded.point);
      end += decoded.bytes;
      ++count;
    }
    normal.clear();
    run.finish(normal);
    if (normal == std::string_view(bytes).substr(at, end - at)) {
      append_unchanged(text, at, end, out);
    } else {
      out.append(normal, text.traced() ? text.origin(at, end) : Origin{});
    }
    at = end;
  }
  return out;
}

}  // namespace signalbox::tokenize
