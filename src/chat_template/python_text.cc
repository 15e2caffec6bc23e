#include "chat_template/python_text.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/text.h"
#include "tokenize/unicode.h"

namespace signalbox::chat_template {
namespace {

using tokenize::decode_utf8;

// Where the code point that ends at `end` begins.
std::size_t point_before(std::string_view text, std::size_t end) {
  do {
    --end;
  } while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80);
  return end;
}

template <class Drops>
std::string_view strip_if(std::string_view text, Side side, Drops drops) {
  if (side != Side::kRight) {
    while (!text.empty()) {
      const auto first = decode_utf8(text);
      if (!drops(text.substr(0, first.bytes), first.point)) break;
      text.remove_prefix(first.bytes);
    }
  }
  if (side != Side::kLeft) {
    while (!text.empty()) {
      const std::size_t begin = point_before(text, text.size());
      if (!drops(text.substr(begin), decode_utf8(text.substr(begin)).point)) break;
      text = text.substr(0, begin);
    }
  }
  return text;
}

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
char upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; }

// Bytes of the line end at the front of the text; 0: none. Those of str.splitlines().
std::size_t line_end(std::string_view text) {
  if (text.starts_with("\r\n")) return 2;
  const auto first = decode_utf8(text);
  const std::uint32_t point = first.point;
  const bool ends = (point >= 0x0A && point <= 0x0D) || (point >= 0x1C && point <= 0x1E) ||
                    point == 0x85 || point == 0x2028 || point == 0x2029;
  return ends ? first.bytes : 0;
}

}  // namespace

bool is_space(std::uint32_t point) {
  if (point < 0x80)
    return point == 0x20 || (point >= 0x09 && point <= 0x0D) || (point >= 0x1C && point <= 0x1F);
  return point == 0x85 || point == 0xA0 || point == 0x1680 ||
         (point >= 0x2000 && point <= 0x200A) || point == 0x2028 || point == 0x2029 ||
         point == 0x202F || point == 0x205F || point == 0x3000;
}

bool is_ascii(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

std::size_t length(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

std::string_view strip(std::string_view text, Side side) {
  return strip_if(text, side,
                  [](std::string_view, std::uint32_t point) { return is_space(point); });
}

std::string_view strip(std::string_view text, Side side, std::string_view characters) {
  return strip_if(text, side, [characters](std::string_view bytes, std::uint32_t) {
    return characters.find(bytes) != std::string_view::npos;
  });
}

std::vector<std::string_view> split_space(std::string_view text, std::int64_t most) {
  std::vector<std::string_view> parts;
  text = strip(text, Side::kLeft);
  while (!text.empty()) {
    if (most >= 0 && static_cast<std::int64_t>(parts.size()) == most) {
      parts.push_back(text);  // with the white space at its end
      break;
    }
    std::size_t end = 0;
    while (end < text.size()) {
      const auto next = decode_utf8(text.substr(end));
      if (is_space(next.point)) break;
      end += next.bytes;
    }
    parts.push_back(text.substr(0, end));
    text = strip(text.substr(end), Side::kLeft);
  }
  return parts;
}

std::vector<std::string_view> split(std::string_view text, std::string_view separator,
                                    std::int64_t most) {
  std::vector<std::string_view> parts;
  while (most < 0 || static_cast<std::int64_t>(parts.size()) < most) {
    const std::size_t at = text.find(separator);
    if (at == std::string_view::npos) break;
    parts.push_back(text.substr(0, at));
    text.remove_prefix(at + separator.size());
  }
  parts.push_back(text);
  return parts;
}

std::vector<std::string_view> split_from_right(std::string_view text, std::string_view separator,
                                               std::int64_t most) {
  std::vector<std::string_view> parts;
  while (most < 0 || static_cast<std::int64_t>(parts.size()) < most) {
    const std::size_t at = text.rfind(separator);
    if (at == std::string_view::npos) break;
    parts.push_back(text.substr(at + separator.size()));
    text = text.substr(0, at);
  }
  parts.push_back(text);
  std::ranges::reverse(parts);
  return parts;
}

std::vector<std::string_view> split_lines(std::string_view text) {
  std::vector<std::string_view> lines;
  std::size_t begin = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t ends = line_end(text.substr(at));
    if (ends == 0) {
      at += decode_utf8(text.substr(at)).bytes;
      continue;
    }
    lines.push_back(text.substr(begin, at - begin));
    at += ends;
    begin = at;
  }
  if (begin < text.size()) lines.push_back(text.substr(begin));
  return lines;
}

std::string replace(std::string_view text, std::string_view old, std::string_view by,
                    std::int64_t most) {
  std::string out;
  std::int64_t done = 0;
  if (old.empty()) {  // before each character, and at the end
    while (!text.empty() && (most < 0 || done < most)) {
      const std::size_t bytes = decode_utf8(text).bytes;
      out.append(by).append(text.substr(0, bytes));
      text.remove_prefix(bytes);
      ++done;
    }
    if (text.empty() && (most < 0 || done < most)) out.append(by);
    return out.append(text);
  }
  while (most < 0 || done < most) {
    const std::size_t at = text.find(old);
    if (at == std::string_view::npos) break;
    out.append(text.substr(0, at)).append(by);
    text.remove_prefix(at + old.size());
    ++done;
  }
  return out.append(text);
}

std::vector<std::size_t> slice_positions(std::size_t size, std::optional<std::int64_t> start,
                                         std::optional<std::int64_t> stop, std::int64_t step) {
  const auto count = static_cast<std::int64_t>(size);
  const auto place = [count, step](std::int64_t at) {
    if (at < 0) at = at < -count ? -1 : at + count;
    if (step > 0) return std::clamp<std::int64_t>(at, 0, count);
    return std::clamp<std::int64_t>(at, -1, count - 1);
  };
  std::vector<std::size_t> positions;
  if (step == 0) return positions;
  std::int64_t from = step > 0 ? 0 : count - 1;
  if (start) from = place(*start);
  std::int64_t to = step > 0 ? count : -1;
  if (stop) to = place(*stop);
  // A step past the whole length is one step.
  const std::int64_t stride = std::clamp<std::int64_t>(step, -count - 1, count + 1);
  for (std::int64_t at = from; step > 0 ? at < to : at > to; at += stride)
    positions.push_back(static_cast<std::size_t>(at));
  return positions;
}

std::optional<std::string> slice(std::string_view text, std::optional<std::int64_t> start,
                                 std::optional<std::int64_t> stop, std::int64_t step) {
  if (step == 0) return std::nullopt;
  std::vector<std::size_t> begins;
  for (std::size_t at = 0; at < text.size(); at += decode_utf8(text.substr(at)).bytes)
    begins.push_back(at);
  const auto positions = slice_positions(begins.size(), start, stop, step);
  begins.push_back(text.size());
  std::string out;
  for (const std::size_t at : positions)
    out.append(text.substr(begins[at], begins[at + 1] - begins[at]));
  return out;
}

std::string float_text(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  char buffer[64];
  const auto written =
      std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific);
  const std::string_view digits(buffer, static_cast<std::size_t>(written.ptr - buffer));
  const std::size_t e = digits.find('e');
  int exponent = 0;
  const std::string_view power = digits.substr(e + (digits[e + 1] == '+' ? 2 : 1));
  std::from_chars(power.data(), power.data() + power.size(), exponent);
  if (exponent < -4 || exponent >= 16) return std::string(digits);
  const auto fixed = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::fixed);
  std::string out(buffer, fixed.ptr);
  if (out.find('.') == std::string::npos) out += ".0";
  return out;
}

std::string upper_ascii(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), upper);
  return out;
}

std::string lower_ascii(std::string_view text) { return to_lower(text); }

std::string capitalize_ascii(std::string_view text) {
  std::string out = to_lower(text);
  if (!out.empty()) out[0] = upper(out[0]);
  return out;
}

std::string title_ascii(std::string_view text) {
  std::string out = to_lower(text);
  bool inside = false;
  for (char& c : out) {
    if (!inside) c = upper(c);
    inside = is_letter(c);
  }
  return out;
}

}  // namespace signalbox::chat_template
