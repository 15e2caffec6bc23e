#include "tokenize/normalizer.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "base/limits.h"
#include "tokenize/compose.h"
#include "tokenize/fields.h"
#include "tokenize/unicode.h"

namespace signalbox::tokenize {
namespace {

bool is_ascii(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

Origin origin_of(const TracedText& text, std::size_t begin, std::size_t end) {
  return text.traced() ? text.origin(begin, end) : Origin{};
}

// `change(point, out)` appends what becomes of a code point.
template <class Change>
TracedText map_points(const TracedText& text, Change change) {
  TracedText out(text.traced());
  const std::string_view bytes = text.text();
  std::string changed;
  for (std::size_t at = 0; at < bytes.size();) {
    const Decoded decoded = decode_utf8(bytes.substr(at));
    changed.clear();
    change(decoded.point, changed);
    out.append(changed, origin_of(text, at, at + decoded.bytes));
    at += decoded.bytes;
  }
  return out;
}

void lower_case(std::uint32_t point, std::string& out) {
  if (point == 0x130) {  // the one code point whose lower case is two
    out += "i\xCC\x87";
  } else {
    append_utf8(out, lower(point));
  }
}

void without_accents(std::uint32_t point, std::string& out) {
  if (utf8proc_category(static_cast<utf8proc_int32_t>(point)) != UTF8PROC_CATEGORY_MN)
    append_utf8(out, point);
}

TracedText replace(const TracedText& text, const Pattern& pattern, const std::string& content) {
  TracedText out(text.traced());
  for (const Pattern::Part& part : pattern.split(text.text())) {
    if (part.matched) {
      out.append(content, origin_of(text, part.begin, part.end));
    } else {
      out.append(text, part.begin, part.end);
    }
  }
  return out;
}

TracedText strip(const TracedText& text, bool left, bool right) {
  const std::string_view bytes = text.text();
  std::size_t begin = 0, end = bytes.size();
  while (left && begin < end) {
    const Decoded decoded = decode_utf8(bytes.substr(begin));
    if (!is_space(decoded.point)) break;
    begin += decoded.bytes;
  }
  while (right && end > begin) {
    std::size_t last = end - 1;
    while (last > begin && (static_cast<unsigned char>(bytes[last]) & 0xC0) == 0x80) --last;
    if (!is_space(decode_utf8(bytes.substr(last)).point)) break;
    end = last;
  }
  TracedText out(text.traced());
  out.append(text, begin, end);
  return out;
}

TracedText prepend(const TracedText& text, const std::string& content) {
  if (text.text().empty()) return text;
  TracedText out(text.traced());
  const Origin first = origin_of(text, 0, 1);
  out.append(content, {first.begin, first.begin});
  out.append(text, 0, text.text().size());
  return out;
}

}  // namespace

Result<Normalizer> Normalizer::parse(json::Value value) {
  Normalizer normalizer;
  SBX_CHECK_OK(normalizer.add(value, 0));
  return normalizer;
}

Result<void> Normalizer::add(json::Value value, std::size_t depth) {
  if (value.is_null()) return {};
  if (steps_.size() >= limits::kTokenizerStepsMax || depth > limits::kTokenizerStepsMax)
    return fail(Code::kCorrupt, "too many normalizers");
  constexpr std::array<std::pair<std::string_view, Kind>, 6> kPlain{
      {{"NFC", Kind::kNfc},
       {"NFD", Kind::kNfd},
       {"NFKC", Kind::kNfkc},
       {"NFKD", Kind::kNfkd},
       {"Lowercase", Kind::kLowercase},
       {"StripAccents", Kind::kStripAccents}}};
  SBX_TRY(const std::string type, string_field(value, "type", ""));
  const auto* plain = std::ranges::find(kPlain, type, &std::pair<std::string_view, Kind>::first);
  if (plain != kPlain.end()) {
    steps_.emplace_back().kind = plain->second;
    return {};
  }
  if (type == "Sequence") {
    SBX_TRY(const auto inner, need_field(value, "normalizers"));
    for (const json::Value step : inner.element_range()) SBX_CHECK_OK(add(step, depth + 1));
    return {};
  }
  if (type == "Replace") return add_replace(value);
  if (type == "Strip") return add_strip(value);
  if (type == "Prepend") {
    SBX_TRY(const auto content, string_field(value, "prepend", ""));
    if (content.size() > limits::kReplaceBytesMax)
      return fail(Code::kCorrupt, "the text of a Prepend normalizer is too long");
    Step& step = steps_.emplace_back();
    step.kind = Kind::kPrepend;
    step.content = content;
    return {};
  }
  return fail(Code::kUnsupported, "normalizer " + type + " is not supported");
}

Result<void> Normalizer::add_replace(json::Value value) {
  Step step;
  step.kind = Kind::kReplace;
  SBX_TRY(step.pattern, pattern_field(value));
  SBX_TRY(step.content, string_field(value, "content", ""));
  // Each byte of a text may become that much, so a long one is a bomb.
  if (step.content.size() > limits::kReplaceBytesMax)
    return fail(Code::kCorrupt, "the content of a Replace normalizer is too long");
  steps_.push_back(std::move(step));
  return {};
}

Result<void> Normalizer::add_strip(json::Value value) {
  Step step;
  step.kind = Kind::kStrip;
  SBX_TRY(step.left, bool_field(value, "strip_left", true));
  SBX_TRY(step.right, bool_field(value, "strip_right", true));
  steps_.push_back(std::move(step));
  return {};
}

TracedText Normalizer::run(const Step& step, TracedText text) {
  switch (step.kind) {
    case Kind::kNfc:
      return is_ascii(text.text()) ? std::move(text) : normalize(text, Form::kNfc);
    case Kind::kNfd:
      return is_ascii(text.text()) ? std::move(text) : normalize(text, Form::kNfd);
    case Kind::kNfkc:
      return is_ascii(text.text()) ? std::move(text) : normalize(text, Form::kNfkc);
    case Kind::kNfkd:
      return is_ascii(text.text()) ? std::move(text) : normalize(text, Form::kNfkd);
    case Kind::kLowercase:
      return map_points(text, lower_case);
    case Kind::kStripAccents:
      return map_points(text, without_accents);
    case Kind::kStrip:
      return strip(text, step.left, step.right);
    case Kind::kPrepend:
      return prepend(text, step.content);
    case Kind::kReplace:
      return replace(text, step.pattern, step.content);
  }
  return text;
}

TracedText Normalizer::apply(TracedText text) const {
  for (const Step& step : steps_) {
    if (text.text().size() > limits::kNormalizedBytesMax) break;
    text = run(step, std::move(text));
  }
  return text;
}

}  // namespace signalbox::tokenize
