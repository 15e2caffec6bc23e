#include "chat_template/lexer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/limits.h"
#include "chat_template/python_text.h"
#include "tokenize/unicode.h"

namespace signalbox::chat_template {
namespace {

bool is_name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
int hex_digit(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// One kind of newline, and none at the end.
std::string with_plain_newlines(std::string_view source) {
  std::string out;
  out.reserve(source.size());
  for (std::size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r') {
      if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
      out += '\n';
    } else {
      out += source[i];
    }
  }
  if (out.ends_with('\n')) out.pop_back();
  return out;
}

class Lexer {
 public:
  explicit Lexer(std::string_view source) : source_(with_plain_newlines(source)) {}

  Result<std::vector<Token>> run() {
    while (at_ < source_.size()) SBX_CHECK_OK(text_and_tag());
    add(TokenType::kEnd, "");
    if (tokens_.size() > limits::kTemplateNodesMax)
      return fail(Code::kUnsupported, "the template is too long");
    return std::move(tokens_);
  }

 private:
  std::string_view rest() const { return std::string_view(source_).substr(at_); }
  std::unexpected<Error> wrong(std::string_view what) const {
    return fail(Code::kCorrupt, fmt::format("line {}: {}", line_, what));
  }
  void add(TokenType type, std::string text) { tokens_.push_back({type, std::move(text), line_}); }
  void skip(std::size_t bytes) {
    line_ += static_cast<int>(std::count(source_.begin() + static_cast<std::ptrdiff_t>(at_),
                                         source_.begin() + static_cast<std::ptrdiff_t>(at_ + bytes),
                                         '\n'));
    at_ += bytes;
    line_starts_ = at_ > 0 && source_[at_ - 1] == '\n';
  }
  void skip_space() {
    const std::string_view left = rest();
    skip(left.size() - strip(left, Side::kLeft).size());
  }

  // What stands before a tag, as the tag leaves it.
  std::string_view text_before(std::string_view text, char sign, bool variable) const {
    if (sign == '-') return strip(text, Side::kRight);
    if (sign == '+' || variable) return text;
    const std::size_t newline = text.rfind('\n');
    const std::size_t begin = newline == std::string_view::npos ? 0 : newline + 1;
    if (begin == 0 && !line_starts_) return text;
    const std::string_view indent = text.substr(begin);
    return !indent.empty() && strip(indent, Side::kLeft).empty() ? text.substr(0, begin) : text;
  }
  static char sign_of(std::string_view tag) {
    return tag.size() > 2 && (tag[2] == '-' || tag[2] == '+') ? tag[2] : ' ';
  }

  Result<void> text_and_tag() {
    const std::string_view left = rest();
    std::size_t begin = 0;
    for (;; ++begin) {
      begin = left.find('{', begin);
      if (begin == std::string_view::npos || begin + 1 >= left.size()) {
        add(TokenType::kText, std::string(left));
        skip(left.size());
        return {};
      }
      if (left[begin + 1] == '%' || left[begin + 1] == '{' || left[begin + 1] == '#') break;
    }
    const std::string_view tag = left.substr(begin);
    const char sign = sign_of(tag);
    const std::string_view text = text_before(left.substr(0, begin), sign, tag[1] == '{');
    if (!text.empty()) add(TokenType::kText, std::string(text));
    skip(begin + (sign == ' ' ? 2 : 3));
    if (tag[1] == '#') return comment();
    if (tag[1] == '%' && strip(rest(), Side::kLeft).starts_with("raw")) {
      const std::string_view after = strip(rest(), Side::kLeft).substr(3);
      const std::string_view close = strip(after, Side::kLeft);
      if (close.starts_with("%}") || close.starts_with("-%}")) return raw();
    }
    add(tag[1] == '{' ? TokenType::kVariableBegin : TokenType::kBlockBegin, "");
    return inside(tag[1] == '{');
  }

  // The end of a block or a comment takes the newline behind it; with a '-', all white space.
  void end_tag(std::string_view close) {
    if (rest().starts_with('-')) {
      skip(1 + close.size());
      skip_space();
      return;
    }
    const bool keep = rest().starts_with('+');
    skip((keep ? 1 : 0) + close.size());
    if (!keep && close != "}}" && rest().starts_with('\n')) skip(1);
  }

  Result<void> comment() {
    const std::size_t end = rest().find("#}");
    if (end == std::string_view::npos) return wrong("a comment does not end");
    const bool sign = end > 0 && (rest()[end - 1] == '-' || rest()[end - 1] == '+');
    skip(sign ? end - 1 : end);
    end_tag("#}");
    return {};
  }

  Result<void> raw() {
    skip_space();
    skip(3);
    skip_space();
    const bool strips = rest().starts_with('-');
    skip(strips ? 3 : 2);
    if (strips) skip_space();
    for (std::size_t from = 0;;) {
      const std::size_t begin = rest().find("{%", from);
      if (begin == std::string_view::npos) return wrong("raw does not end");
      const std::string_view tag = rest().substr(begin);
      const char sign = sign_of(tag);
      std::string_view inner = strip(tag.substr(sign == ' ' ? 2 : 3), Side::kLeft);
      if (inner.starts_with("endraw")) {
        inner = strip(inner.substr(6), Side::kLeft);
        if (inner.starts_with("%}") || inner.starts_with("-%}") || inner.starts_with("+%}")) {
          const std::string_view text = text_before(rest().substr(0, begin), sign, false);
          if (!text.empty()) add(TokenType::kText, std::string(text));
          skip(rest().size() - inner.size());
          end_tag("%}");
          return {};
        }
      }
      from = begin + 2;
    }
  }

  Result<void> inside(bool variable) {
    const std::string_view close = variable ? "}}" : "%}";
    std::string open;  // brackets
    for (;;) {
      skip_space();
      const std::string_view left = rest();
      if (left.empty()) return wrong("a tag does not end");
      const bool sign = left[0] == '-' || (left[0] == '+' && !variable);
      if (open.empty() && left.substr(sign ? 1 : 0).starts_with(close)) {
        add(variable ? TokenType::kVariableEnd : TokenType::kBlockEnd, "");
        end_tag(close);
        return {};
      }
      SBX_CHECK_OK(token(open));
    }
  }

  Result<void> token(std::string& open) {
    const char c = rest()[0];
    if (is_name_start(c)) {
      std::size_t end = 1;
      while (end < rest().size() && (is_name_start(rest()[end]) || is_digit(rest()[end]))) ++end;
      add(TokenType::kName, std::string(rest().substr(0, end)));
      skip(end);
      return {};
    }
    if (is_digit(c)) return number();
    if (c == '"' || c == '\'') return string(c);
    return symbol(open);
  }

  Result<void> number() {
    const std::string_view left = rest();
    std::size_t end = 1;
    const auto digits = [&] {
      while (end < left.size() && is_digit(left[end])) ++end;
    };
    digits();
    bool real = false;
    if (end + 1 < left.size() && left[end] == '.' && is_digit(left[end + 1])) {
      real = true;
      ++end;
      digits();
    }
    if (end < left.size() && (left[end] == 'e' || left[end] == 'E')) {
      const std::size_t sign =
          end + 1 < left.size() && (left[end + 1] == '+' || left[end + 1] == '-');
      if (end + 1 + sign < left.size() && is_digit(left[end + 1 + sign])) {
        real = true;
        end += 1 + sign;
        digits();
      }
    }
    if (end < left.size() && is_name_start(left[end]))
      return fail(Code::kUnsupported,
                  fmt::format("line {}: this way of writing a number is not supported", line_));
    add(real ? TokenType::kFloat : TokenType::kInteger, std::string(left.substr(0, end)));
    skip(end);
    return {};
  }

  Result<void> string(char quote) {
    const std::string_view left = rest();
    std::size_t end = 1;
    while (end < left.size() && left[end] != quote) end += left[end] == '\\' ? 2 : 1;
    if (end >= left.size()) return wrong("a string does not end");
    SBX_TRY(auto text, unescape(left.substr(1, end - 1)));
    add(TokenType::kString, std::move(text));
    skip(end + 1);
    return {};
  }

  Result<std::string> unescape(std::string_view body) const {
    static constexpr std::pair<char, char> kSingle[] = {
        {'n', '\n'}, {'t', '\t'}, {'r', '\r'}, {'\\', '\\'}, {'\'', '\''},
        {'"', '"'},  {'a', '\a'}, {'b', '\b'}, {'f', '\f'},  {'v', '\v'}};
    std::string out;
    for (std::size_t i = 0; i < body.size(); ++i) {
      if (body[i] != '\\' || i + 1 >= body.size()) {
        out += body[i];
        continue;
      }
      const char c = body[++i];
      const auto* single = std::ranges::find(kSingle, c, &std::pair<char, char>::first);
      const std::size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
      if (single != std::end(kSingle)) {
        out += single->second;
      } else if (digits > 0) {
        std::uint32_t point = 0;
        if (i + digits >= body.size()) return wrong("an escape is cut off");
        for (std::size_t k = 1; k <= digits; ++k) {
          const int digit = hex_digit(body[i + k]);
          if (digit < 0) return wrong("not a hexadecimal digit");
          point = point << 4 | static_cast<std::uint32_t>(digit);
        }
        if (point > 0x10FFFF || (point >= 0xD800 && point < 0xE000))
          return wrong("an escape names no character");
        tokenize::append_utf8(out, point);
        i += digits;
      } else if (c == '\n') {
        continue;
      } else if (c == 'N' || is_digit(c)) {
        return fail(Code::kUnsupported, fmt::format("line {}: \\{} is not supported", line_, c));
      } else {
        out += '\\';
        out += c;
      }
    }
    return out;
  }

  Result<void> symbol(std::string& open) {
    static constexpr std::array<std::string_view, 6> kLong = {"==", "!=", "<=", ">=", "//", "**"};
    const std::string_view left = rest();
    for (const std::string_view symbol : kLong) {
      if (!left.starts_with(symbol)) continue;
      add(TokenType::kOperator, std::string(symbol));
      skip(symbol.size());
      return {};
    }
    const char c = left[0];
    if (std::string_view("+-*/%~<>=()[]{}.,:|").find(c) == std::string_view::npos)
      return wrong("a character that no expression has");
    if (c == '(' || c == '[' || c == '{') open += c;
    if (c == ')' || c == ']' || c == '}') {
      const char opens = c == ')' ? '(' : c == ']' ? '[' : '{';
      if (open.empty() || open.back() != opens) return wrong("a bracket that nothing opens");
      open.pop_back();
    }
    add(TokenType::kOperator, std::string(1, c));
    skip(1);
    return {};
  }

  std::string source_;
  std::size_t at_ = 0;
  int line_ = 1;
  bool line_starts_ = true;
  std::vector<Token> tokens_;
};

}  // namespace

Result<std::vector<Token>> read_tokens(std::string_view source) { return Lexer(source).run(); }

}  // namespace signalbox::chat_template
